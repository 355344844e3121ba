"""What a pickled result keeps: plain values under public names, no key, no connections."""

from __future__ import annotations

import base64
import copy
import io
import json
import pickle
import zlib
from datetime import UTC, date, datetime
from typing import Any

import pytest

import dalle2
from dalle2._http import Timeouts
from dalle2._image._data import ImageData
from dalle2._results._awaited import AsyncFetcher
from dalle2._results._blocking import Fetcher
from dalle2._results._origins import Fetching, Origins
from dalle2._secrets import Secret
from dalle2.catalog import Price
from dalle2.retry import RetryPolicy
from dalle2.testing import Emulator

from ..faults.server import IMAGE

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
URL = "https://images.example.com/private/img.png?sig=x&se=2026-06-01T13%3A00%3A00Z"
KINDS = [
    (dalle2.ImageResult, Fetcher),
    (dalle2.AsyncImageResult, AsyncFetcher),
]


def modules(packed: bytes) -> set[str]:
    """The modules that a pickle names."""
    found: set[str] = set()

    class Reader(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            found.add(module)
            return super().find_class(module, name)

    Reader(io.BytesIO(packed)).load()
    return found


def full(kind: Any, fetcher: Any) -> Any:
    """A result of which everything is known, of a client with a key and settings of its own."""
    image = ImageData.of_url(URL, created=NOW, model="dall-e-2")
    how = Fetching(
        policy=RetryPolicy(max_attempts=7, deadline=9.0),
        origins=Origins.of("http://127.0.0.1:8080/v1", ("images.lan",)),
        key=("Authorization", Secret("Bearer sk-secret")),
        timeouts=Timeouts(1.0, 2.0, None, 4.0),
        user_agent="dalle2/test",
    )
    more = {"revised_prompt": "a red fox", "prompt": "a fox", "extra": {"seed": 7}, "content": b"GIF89a"}
    return kind(image._replace(**more), fetcher(None, how))


@pytest.mark.parametrize(("kind", "fetcher"), KINDS)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_result_travels_whole_and_without_its_key(kind: Any, fetcher: Any, protocol: int) -> None:
    """All that is known of it, and how patiently to fetch it; under public names only."""
    result = full(kind, fetcher)
    packed = pickle.dumps(result, protocol)
    assert b"secret" not in packed
    public = {"dalle2.pickling", "datetime", "copyreg", "builtins", "__builtin__", "_codecs"}
    assert modules(packed) <= public
    other = pickle.loads(packed)
    assert type(other) is kind
    assert other == result
    assert other._data.sound == result._data.sound
    one, two = result._fetcher.how, other._fetcher.how
    for name in ("origins", "policy", "timeouts", "user_agent", "largest", "longest"):
        assert getattr(two, name) == getattr(one, name)
    assert two.key is None
    assert two.shared is not one.shared
    bare = pickle.loads(pickle.dumps(kind(ImageData(NOW)), protocol))
    assert (bare._fetcher.how.policy, bare._fetcher.how.timeouts, bare.expires_at) == (None, None, None)


@pytest.mark.parametrize(("kind", "fetcher"), KINDS)
def test_a_copy_stays_on_the_same_connections(kind: Any, fetcher: Any) -> None:
    """Copying in one process is no journey: the copy keeps the key and what the client's calls share."""
    result = full(kind, fetcher)
    for other in (copy.copy(result), copy.deepcopy(result)):
        assert other == result
        assert other is not result
        assert other._fetcher is result._fetcher


def of_a_call(**options: Any) -> dalle2.Images:
    """The images of one call."""
    emulator = Emulator()
    with emulator.client() as http, dalle2.Client("sk-test", http_client=http, **options) as client:
        return client.generate("a fox", n=2, size="256x256")


def test_the_images_of_a_call_travel_with_what_was_said_of_them() -> None:
    """Request, usage, cost by the caller's own prices, and the changes that a successor asked for."""
    prices = dalle2.PriceTable(date(2026, 1, 1), {"dall-e-2": Price("x", {("", "256x256"): 0.5}, exact=True)})
    images = of_a_call(prices=prices)
    images._data = images._data._replace(
        usage=dalle2.Usage(total_tokens=7),
        adaptations=(dalle2.Adaptation("style", "vivid", None, "not taken"),),
        scale=(256, 256),
    )
    packed = pickle.dumps(images)
    assert modules(packed) == {"dalle2.pickling", "datetime"}
    for other in (pickle.loads(packed), copy.copy(images), copy.deepcopy(images)):
        assert type(other) is dalle2.Images
        assert list(other) == list(images)
        for name in ("request", "usage", "adaptations", "created", "model", "request_id", "extra", "cost"):
            assert getattr(other, name) == getattr(images, name)
        assert other.cost == 1.0
        assert other._data.scale == (256, 256)
    plain = of_a_call()
    assert pickle.loads(pickle.dumps(plain)).cost == plain.cost == 0.032
    deep = copy.deepcopy(plain)
    deep[0]._hold(IMAGE, "image/png")
    assert plain[0].content is None


def test_awaited_images_travel_as_what_they_are() -> None:
    """The twin comes back as the twin."""
    images = of_a_call()
    awaited = dalle2.AsyncImages.of(images._data, AsyncFetcher())
    other = pickle.loads(pickle.dumps(awaited))
    assert type(other) is dalle2.AsyncImages
    assert list(other) == list(awaited)


def test_public_classes_show_a_public_module() -> None:
    """What help, tracebacks and documentation tools show."""
    for kind in (dalle2.ImageResult, dalle2.AsyncImageResult, dalle2.Images, dalle2.AsyncImages):
        assert kind.__module__ == "dalle2"
        assert getattr(dalle2, kind.__qualname__) is kind


# As they were written when this form was first promised (protocol 4, packed and in base 85).
RESULT = (
    b"c-l=;O^?$s5beUYX}eoM;s;P6f%ek$W2NOoTD52;qE&&ziW3JSlT1?!C$?;7Ns*Aaz=Grh(hmQRE1dWVjFVO(juU%k?3sD*ecu"
    b"21`$nsN-0hSJ0kcr?<h|fUhAz-xtki(l=nl?vmca#>QdnH>eZnKx=H7&U86+B*g%n*krN8Al{J*@$vwrZWvv*i$!gbemz5Sysy"
    b"pOg$zfD0{M*C&Uk1M>uFEqc>bT>;a(7jk&tIX5!xK3<Bs93H9go(_@O7lxfN3JYXMK(7)JFOlXIGs&qC!-0y)7R7E2glDQllt?"
    b"9+Dl|%p|E(?iO!!te!|e*(s0QQq_NU6R~B854K<|0m8{TpcE&bq4DDP}&2^(fj9@fFH%K87jE=;1qX>guUFukQINMNJ%?K~IZ-"
    b"B5`2FA6GEQ=JsyFOHk6W%eixb8P_4YqLItuYwX5u2D!=)_-5Ef&m{#82tEE3nDhv*zjONX;`|P$G{Qg-&OW!U>HjzWj0Tir8d|"
    b"$6Lton+vFZ`N7lI-$E-`LFiM<Qt)I`UwW9cimJ0f7#J$v1-#&vGl9|k*H%M4A48b14MvOMPFUWk!BXvPWkHkc?bg*zfu$riAlv"
    b"=j9V~yxvr?9ZAk&QK@cns#$dVEtMf1N+WVC4htyj_FPO~C%`lSIKQxin2J7_dLwj^XMORuT$A3-$==l"
)
IMAGES = (
    b"c-mD|O>Y}F5VcZ$Sh8gYITX3YDUc!;>nlLo6bS4hK!w1y4n|KsbV2Wqb_ws2YkoLVfC9NBX#gGqg#CX#_tc-zM{3pD+Ffxu91h"
    b">Sd9&}@e~vpl@#hXRR+cmy)jYi_xyZfiDbhwN@?X5`zOGnK+Ml(4_fO-BEsgfYJ+~KEE~24X?(ksp(KA)V3}xQ!W*7~x==SRu|"
    b"7y_tyW8527<{qkc7y$`6k!e1ewb!d8ix7VPPjh$3;!O^2R!a8t4i;FE{v)5594t>SdVDMs=B06Dywm=_zjN3Qa-9hexiB)a`mm"
    b"Im$S+2`SAqz^q1+gC(nMIOyb|KNIaFokTCvLcmDdP?_V(Q4iw#RO<7VaS=Gk7K08vB9WCVw<ZO){wlQ=n3CuCkvOK2anRmmC(v"
    b"o3IV%9Y{=trpIIuPBVl~D|Qxwa;7b=K3aqooy@|KtX=syX;hnDNDML)WmO>+8tDFnX*L>`-Y4jT8kl7L~JZcS$BKLOnw{x>E6+"
    b"3mg;}gX?tm-DrYq>d!wv`sm#rt9jB;=KpX#;FoVg`34QOB@<vDDa(?l>lk#uVk@9C1P-8(p6hYJ4QHjFpZwLRs~>#830wR5>Cs"
    b"kl!KlapJ6jr3So*D5+Rcb%kRieL%{B(BE_rUH)u2o<lq2L91R^aCemXz-XX80P-Hbbn`RV=58;UcqnpA=$P*}IOQTy0H;@;Ygr"
    b"d+#X8Tqq&uFHge13*Zx7!(hS$G1y4P;_mvFX34LLf6R@qt#o@?;B}YnHYIRBJ#1%MQzR2uy8}*y<<2qP(U+HP@aW5jC9{M-F89"
    b"*nC{>4iZ&aXGr|kac{nFQ3bnjwY_UO$#|zgIA<wqvZz;rvz-lQpB}=I)7Gk#pT^I*ZoXMrk)|mCKEi1VRuY*gLUgavv6tf_CoW"
    b"!NLmEnKU9yA7YWR0`*#_gbHDhMUnh|4dENB{SbHtQ1DVr_~iXpYtj@U`m|kOnCo`z3ry@D(^mIBlWcjMXNB(6JPqC8sj;MUJrg"
    b"D(JX#!*4>}&}kw7>*D*QvD@{9G)IPkNpIhW<5Py?&v#n5Kg1sAX@D5<jQ$0%MevF"
)


def unpacked(text: bytes) -> Any:
    """The value that was stored."""
    return pickle.loads(zlib.decompress(base64.b85decode(text)))


def test_a_stored_result_of_yesterday_is_read() -> None:
    """The form is promised: what was pickled when it was first released comes back whole."""
    result = unpacked(RESULT)
    assert type(result) is dalle2.ImageResult
    assert result == full(dalle2.ImageResult, Fetcher)
    assert (result.content, result.revised_prompt) == (b"GIF89a", "a red fox")
    assert result.expiry_source == "signature"
    how = result._fetcher.how
    assert how.policy == RetryPolicy(max_attempts=7, deadline=9.0)
    assert how.timeouts == Timeouts(1.0, 2.0, None, 4.0)
    assert how.origins == Origins.of("http://127.0.0.1:8080/v1", ("images.lan",))


def test_stored_images_of_yesterday_are_read() -> None:
    """With the request, and all that was said of the call."""
    images = unpacked(IMAGES)
    assert type(images) is dalle2.Images
    assert list(images) == [full(dalle2.ImageResult, Fetcher)]
    assert images.request == dalle2.GenerateRequest(prompt="a fox", n=2)
    assert (images.created, images.model, images.request_id) == (NOW, "dall-e-2", "req_1")
    assert images.usage == dalle2.Usage(total_tokens=7)
    assert images.adaptations == (dalle2.Adaptation("style", "vivid", None, "not taken"),)
    assert (images.extra, images._data.scale, images._made) == ({"x": 1}, (256, 256), 2)


def test_the_plain_form_of_images_is_the_one_that_is_promised() -> None:
    """What databases hold since it was first released: no name goes, and none changes its kind."""
    told = json.loads(json.dumps(unpacked(IMAGES).to_dict(), allow_nan=False))
    (image,) = told.pop("images")
    usage = told.pop("usage")
    assert {name: number for name, number in usage.items() if number is not None} == {"total_tokens": 7}
    assert {"input_tokens", "output_tokens", "text_tokens_in", "image_tokens_in"} < usage.keys()
    assert told == {
        "created": 1780315200.0,
        "model": "dall-e-2",
        "request_id": "req_1",
        "cost": 0.04,
        "adaptations": [{"field": "style", "asked": "vivid", "sent": None, "reason": "not taken"}],
        "extra": {"x": 1},
    }
    assert dalle2.ImageResult.from_dict(image) == full(dalle2.ImageResult, Fetcher)
    assert image.keys() == {
        "api", "b64_json", "created", "expires_at", "expiry_source", "extra", "media_type", "model", "prompt",
        "revised_prompt", "url",
    }  # fmt: skip
