"""Values of the package in a pickle: a public name, a version, a plain state."""

from __future__ import annotations

import base64
import pickle
import zlib
from datetime import UTC, date, datetime
from typing import Any

import pytest

import dalle2
from dalle2._image._data import ImageData
from dalle2.pickling import VERSION, restore


def test_what_a_later_version_wrote_is_refused_by_name() -> None:
    """A newer form, and a kind that is not known yet."""
    for kind, version in (("ImageResult", VERSION + 1), ("Hologram", 1)):
        with pytest.raises(ValueError, match=f"'{kind}'.*later dalle2"):
            restore(kind, version, {})


class Mine(dalle2.ImageResult):
    """A caller's own class of results."""


def test_a_class_of_the_caller_comes_back_as_itself() -> None:
    """Its pickle names the caller's module; the state is ours."""
    mine = Mine(ImageData(datetime(2026, 6, 1, tzinfo=UTC), content=b"GIF89a"))
    other = pickle.loads(pickle.dumps(mine))
    assert type(other) is Mine
    assert other == mine


# As they were written by 0.2 (protocol 4, packed and in base 85); results stand in `results/test_stored.py`.
REQUESTS = (
    b"c-nnY&1)1f6yM#>espxZZ7m*zN>#+tL#u@zJ*ZpiFc@_auiJDcyD#j_WSV4fS11%gs+fad{4@0CRXm9I9=zzkBIwI({Q@zNJo3JN"
    b"@ArF$-s_jON_k8trb)s!*K;0?5}pmMX-cNFkj%carnAE`CaGpUwqKyzhSdYRYU-(oSz?K)X83rDKW13Bb!~Hu7pt&CE;7aX10hqY"
    b"T~48xw5D2E<Fm1rw7)0f2?m<`1x>h~STmD|M;P6s(P$_|k;NGG9T4Jk;egtr(0QSMcU?SjL?X=*Q%%$6aw;{aNuQ^5$P{`Sxx@@@"
    b"O`Wa`#2Bs8lZ07P9NC_QnmM%{bNv@bs1s;}HE0r;CEyb{ePEF(W3dgJ3fcrZ1m+1W5LhH|hM0PZ=9>9IhC>DAcdC~cQ%&uyyU*{D"
    b"owk3@N8#JS?QRck%iUH3-;bU5FVLI~x;Gw-zeKwqyzj?XuP=SOa>(CQDxdCb9N+)^^_^Q<uuZyeZ|*)p9s?R_g$T1H`bLfm3|nFA"
    b"nd3U(EQu{Fmn5HBSaS3Mg)?4C)d)w0^HZ)XZ~-o^!ljc^xD0D$k(uLJDLBV<yCwY+Z2lpYyxhw_RGaxjH3G~3!}&Q}X^!mr4{2BJ"
    b"0{"
)
ERRORS = (
    b"c-mD|T~8B16lJB`mR2B<_)dHR6N_L#;*$v)LeMoK(HCPj!|rWo!tTy8GYc)o#1}Lq^TzlyeDP=bD?Br;e6-nZXYTB|=bn4+esBHy"
    b")0zvPHM^X%qM)roEwYnBR3m3QinNi6+_keS9~zU%l0H@^l{~NBDkYUWjJ~-w+hS^@ooy9T8+Yk!dnl;LwezvIDA|a#Ter(1r?QrY"
    b"s%(;;(8Spo_h*~Vc9}5<84Wz!R>ZWdklcupWMcx2(*{f&e_)sQsUpP;9nJQp6yj3mRJg=O6>cppE(p(UZ*GloIlGKPYFTMYhf<Zy"
    b"_%n?r<!sbA+oQ2jEIpR_1cA<J!wO-*Z@!S{h#s@-WTa$M<%srtBIFm+Ct3u*x-qw?k7gTCszy#dJ+@RcWdtkInHY&}*9s?4Tg+C6"
    b"a*SVXCIz{q`RR_pTvKIIAlhz@TD=l?|6aSjUgvK+dKfzA_?qqd{R>(77?ulu2|*0Q`f$#FJ?<s0A0EFqQ#2L6roJ}JG#aFH^2!7u"
    b"_M)$@32dPH(h*X>6QwYB`p#p!pdry}4nF{!cl~B>o%a*Ico^}Q?|(<O6+n>?0BPY7U=%Z{eWDn$u+k-b$HpL(!U}ywMom&SG-%HL"
    b">!~&8Y=;wr?A}r~f?CnUX}*g^Oo30LeMvPj!;Yci)eZ5LgX#?3%x7-7&%S%i^3`CKTk<vz=5_qB?O+__Ipt`_*7nXA7tY-v_ur5&"
    b"?LOkX%=23?f9k+@{D^c@+*mc3APh$*gV_x-@Td11`XY2`zEOp<tK67czuMTCnrA>`R@Ma#V6hE0sKcCQvcg<>11>2#6PogLX0U`m"
    b"N%#t!np0LVg}{IDgXz7Xu@2t8@^erNxHb(|UJR>Aim1xGGi`TBCgc9i5GGqHF%lS5@NK-mY@gKvdBquOa##G*I&3Zrk@>0W&ZgO$"
    b"zvo9UMKNG(+tatsOjx`<S~W8qU~oJ8{QS$ni@<jh@2cHBG=F-~xWPZd6wwd"
)
SAID = (
    b"c-mD^u};G<5N)7o($WGG-vC3A;0G8O5UOB6VvgM8+E`6&h#jCvNH9Q)bX$+Vg5O|3415CT6x7z%N%!8J-@Ef;{q4uARR<f1$TB!2"
    b"Y@O)@3Sp&IG^4#IdZ1kl2ALQRA)zU@VqsyZ3kilx7~V*ofr^2q1{)^UMa8G#$<g<_J0Ax9oFy|tFK77zu1hdBk_n;DAUdG3pVqMH"
    b"e6v$E&<oo&*A%+Ry3pm>g17*7pOY4>%waj5(QzyI+*qHlMClHOj=$H+)fhG%WEU$K_iFA==z^X(UN|t+w+fP|KPFyfY%K7=9g~(e"
    b";X>qmoJze)*sLCW`R(d8`bjm{EBbI}3*mmo8&S_Q)o%W!5kpw))wbG-EV6n8%1|%Bwp3T8{U^?`qf5I&Y+Ba+gOOCsY{{H8SE=PD"
    b"R$yv-rK{q~{)F~_0TckqV*"
)
CLIENT = (
    b"c-nnZO>fgc5CzmYNl7UJaYU*(H3wqBkqb#t6-ALu)EgJ9jXflb)?RBrLS3m6J#dILw+?6i8b5{E*j8`Y2fumq=G#Aye*by$=<r~a"
    b"3#H&aVf0B!C>`C?_>OMr90!%rJDGzaeBOvA9b*XxtIm7R+9>nZ>4Na}*15`lh+|oZ4cG}>i=t96$#fC#-Vr|gyt+(gi*&YHq|3`M"
    b"^ozzAHQJ`=21+o(0pZIwN8D0Umt6M<a_I<9I%hBgy%VM;e9_Tt$}VJ3=)BE2id)=xqF^Zo{kTIz1GZu(_k+jrgW>UH=G|5sd2@*7"
    b";0q9j=fCAQ+3&}Ay2zoZw1YCM-!7r1y`wuWzZMo!Zxn5hv3ICL_?UM!(q<#dE?<IuUhj9vT!2m%puMB>`SeY5ssDh47t%A}!Ujg|"
    b"sao^tRrs#7l3D$5+EF2{Q{f!9%gbB#urEvLq);^f__zHrhC#!<ikjxrvz9y!<RNt`zBwL#KK<Id204ga$r8Bzp(xgJ<F&V;F(ECG"
    b"UvFO}EYd$pr9~b@)@K=5t4$c#R!X|Gq&-HJk<3%#*OPyU_4)k"
)

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAYAAADED76LAAAAFklEQVR42mNgwAT/0TA9FPwngGmtAADGTS/RUdXbtQAAAABJ"
    "RU5ErkJggg=="
)
GENERATION = dalle2.GenerateRequest(prompt="a fox", size="512x512", user="u", quality="low")


def unpacked(text: bytes) -> Any:
    """The value that was stored."""
    return pickle.loads(zlib.decompress(base64.b85decode(text)))


def test_stored_requests_of_yesterday_are_read() -> None:
    """A queue may hold them for longer than a release lasts; their images come with them."""
    image, mask = dalle2.read_input(PNG), dalle2.read_input(PNG, "mask")
    edit = dalle2.EditRequest(image=image, prompt="a hat", mask=mask, n=2, extra_body={"seed": 7})
    assert unpacked(REQUESTS) == (GENERATION, edit, dalle2.VariationRequest(image=image, n=3))


def test_stored_errors_of_yesterday_are_read() -> None:
    """With all that is needed to go on: the request, its key, what came, and the images that were kept."""
    lost, limited, refused, odd = unpacked(ERRORS)
    assert (type(lost), str(lost), lost.reason) == (dalle2.OutcomeUnknownError, "lost", "timeout")
    assert (lost.request, lost.idempotency_key, lost.body) == (GENERATION, "key-1", b"{")
    assert (lost.sent_at, lost.maybe_billed) == (datetime(2026, 6, 1, 12, tzinfo=UTC), True)
    assert (type(limited), limited.status_code, limited.code) == (dalle2.RateLimitError, 429, "rate_limit")
    assert (limited.retry_after, limited.request_id, limited.headers) == (2.0, "req_1", {"x": "y"})
    assert limited.body == {"error": None}
    assert (type(refused), refused.field, refused.allowed) == (
        dalle2.InvalidRequestError,
        "size",
        ("256x256",),
    )
    assert (type(odd), odd.path, odd.body) == (dalle2.DecodeError, "data[0].url", b"x")
    assert [image.url for image in odd.images] == ["https://images.example.com/a.png"]


def test_what_a_host_said_yesterday_is_read() -> None:
    """Moderations, rows of the list of models, and usage."""
    moderation = dalle2.Moderation(True, {"violence": True}, {"violence": 0.9}, "m", "req_1")
    made, ends = datetime(2022, 11, 3, tzinfo=UTC), date(2026, 5, 12)
    row = dalle2.ModelInfo("dall-e-2", made, "system", ends, extra={"k": 1})
    assert unpacked(SAID) == (moderation, row, dalle2.Usage(total_tokens=7))


def test_a_stored_client_of_yesterday_finds_its_key_where_it_wakes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is called and how patiently was stored; the key was not."""
    assert b"secret" not in zlib.decompress(base64.b85decode(CLIENT))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-another")
    with unpacked(CLIENT) as client:
        told = repr(client)
        settings = client._session.settings
    assert "https://images.example.com/v1, model m" in told
    assert (settings.retry.max_attempts, settings.timeouts.read) == (5, 9.0)
