"""What is asked for: a request that exists can be sent.

What no model accepts is refused here, when a request is made (`_rules`); what one model accepts and another
does not is the catalogue's business, and is checked when the model is known. `None` means "not sent".

Callers make and see attrs values (`_values`), which `attrs.evolve` takes. A call works with a `Draft`, which
holds the same and is checked by the same rules, and becomes the value when somebody looks. The two are kept
apart for the sake of a cold start: importing attrs and building these classes takes 17 ms, a tenth of a
process that makes one image.
"""
