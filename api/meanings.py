"""What each type of problem means and what to do about it: the page that its ``type`` leads to.

``docs/reference/errors.md`` is generated from the same words.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Meaning:
    """Two or three sentences each."""

    about: str
    remedy: str


MEANINGS = {
    "invalid-submission": Meaning(
        "The request can be read, and what it asks for can't be done: a model, a size, a column, a template "
        "or a reference is wrong, or the cap is below the price of a single item. Nothing was bought.",
        "`errors` lists everything that is wrong, each with a pointer into the body and with what would be "
        "right. Correct all of it and send the request again.",
    ),
    "invalid-request": Meaning(
        "The body, a parameter or a header is not of the shape that the OpenAPI document gives: it is no "
        "JSON, a field is missing, unknown or out of its bounds.",
        "`errors` names each place. Fields that are not known are refused, so check the spelling first.",
    ),
    "unauthorized": Meaning(
        "The request carries no API key, or one that this service does not know.",
        "Send the key as `Authorization: Bearer …`. A key that worked before was replaced or revoked: ask "
        "whoever runs the service for another one.",
    ),
    "forbidden": Meaning(
        "The API key is known, and what was asked for is not among what it may do.",
        "Use a key that may do it; operators' routes take the operator's key.",
    ),
    "method-not-allowed": Meaning(
        "The address is there, and takes other methods than the one of the request.",
        "`Allow` names those that it takes.",
    ),
    "too-slow": Meaning(
        "The body stopped coming for longer than the service waits, and the connection was closed.",
        "Send it again over a better connection, or a large file in parts.",
    ),
    "length-required": Meaning(
        "Parts of an upload must say their size before they come, in `Content-Length`; this one did not.",
        "Send the part with its length; chunked encoding is not taken here.",
    ),
    "query-too-long": Meaning(
        "What stands after the `?` of the address is longer than any query that means something here.",
        "The limits are listed in the reference. Send what is large as a body or a file.",
    ),
    "unsupported-media-type": Meaning(
        "The `Content-Type` says that the body is something that this address does not take.",
        "The detail says what it takes.",
    ),
    "content-differs": Meaning(
        "The size or the hash of what came is not the one that was announced, so something was lost on the "
        "way. It was not kept.",
        "Send it again; if it fails alike, compute the announced value anew.",
    ),
    "headers-too-large": Meaning(
        "All headers of the request together are larger than the service reads.",
        "Leave out what is not needed, cookies for one.",
    ),
    "upload-completed": Meaning(
        "The upload has become a file, and takes no more parts.",
        "Use the file by its id, or begin another upload.",
    ),
    "too-many-uploads": Meaning(
        "As many files are coming in as one process takes at a time, or as one tenant may send at a time.",
        "Send the same request again after `Retry-After` seconds; another process may take it at once.",
    ),
    "too-many-secrets": Meaning(
        "Each event already carries a signature by each of five secrets, since it was rotated that often "
        "within the time that old ones are kept for.",
        "Wait until an old one runs out, or rotate with `keep_old_hours` 0.",
    ),
    "too-many-streams": Meaning(
        "As many streams of events are open as one process, or one tenant, may have.",
        "Close some, or poll: `Prefer: wait` answers as soon as there is a change, too.",
    ),
    "variant-needed": Meaning(
        "The job made several pictures of that id, one for each variant, so the id alone does not say which.",
        "Add `?variant=` with the name of one of them.",
    ),
    "rate-limited": Meaning(
        "The key has sent more requests than its limit lets through in so short a time. Nothing was done.",
        "Send the same request again after `Retry-After` seconds. The fields `RateLimit` and "
        "`RateLimit-Policy` of every answer say what is left, and `Prefer: wait` makes polls rarer.",
    ),
    "caps-in-file": Meaning(
        "The caps of this tenant are set in the file of tenants, which wins over what is set over HTTP.",
        "Change them in the file; it is read again by itself.",
    ),
    "tenant-removed": Meaning(
        "The operator has removed the tenant: nothing more is taken of it, what ran is cancelled, and its "
        "schedules are paused. What was made before can be read for as long as its keys are known.",
        "Ask the operator; no key of this tenant can do it.",
    ),
    "no-tenant-cap": Meaning(
        "The tenant may spend without a limit by day or month, which this service does not allow. "
        "The job was not accepted.",
        "An operator sets a cap for the tenant, or one for all tenants; then send the submission again.",
    ),
    "not-found": Meaning(
        "There is nothing at this address, or it belongs to another tenant: the two are answered alike.",
        "Check the id, and that the key is of the tenant that made it.",
    ),
    "job-lost": Meaning(
        "The job was accepted, and the engine has forgotten it without its having left a report: its history "
        "was deleted by hand, or a data directory was lost. What it bought until then is in the bucket.",
        "Ask whoever runs the service. A new job needs a new idempotency key.",
    ),
    "job-not-ended": Meaning(
        "A report is a job's receipt, which is written at its end, and a job is shared or tried again as a "
        "whole; this job has not reached its end.",
        "Watch the job's status, and ask again when the job has ended.",
    ),
    "no-report": Meaning(
        "The job was ended by hand in the engine, which left it no time to write a report.",
        "Its items and images can still be listed; the report will not come.",
    ),
    "job-ended": Meaning(
        "The job has reached its end state, which never changes: there is nothing to change, to resume or to "
        "cancel.",
        "Submit another job for what is still wanted.",
    ),
    "idempotency-key-reused": Meaning(
        "A request with this `Idempotency-Key` was answered before, and its body was another one.",
        "A key stands for one submission: use a new key for a new body, or send the first body again.",
    ),
    "too-large": Meaning(
        "The body has more bytes than a request of this kind may have. It was not read to its end.",
        "Upload the items as a file and submit a manifest that names it, or split the file.",
    ),
    "estimate-too-slow": Meaning(
        "An estimate reads every row, and these rows could not be read while a caller waits.",
        "Ask with a part of the rows, or submit the job: it has the estimate once its rows are planned.",
    ),
    "run-under-way": Meaning(
        "The schedule skips times that come while one of its runs is under way, and so it would skip this "
        "trigger.",
        "Wait for the run to end, cancel its job, or change the schedule's overlap: with buffer_one the next "
        "run waits, with allow_all they run side by side.",
    ),
    "gallery-not-ready": Meaning(
        "A job's gallery is made when it is first shared; this one was not ready within the time that a "
        "caller waits, and is still being made, or could not be made just now.",
        "Send the same request again after `Retry-After` seconds.",
    ),
    "unavailable": Meaning(
        "The engine or the store does not answer. What was accepted before is kept, and goes on later.",
        "Send the same request again after `Retry-After` seconds; a submission with its `Idempotency-Key`, "
        "so that it can't be made twice.",
    ),
    "http-error": Meaning(
        "The request is not one that can be answered, and no other type fits: its body can't be parsed at "
        "all, or the method is not one of this address. The `status` says more.",
        "Compare the request with the OpenAPI document.",
    ),
    "internal-error": Meaning(
        "The request met a mistake of the service, which is in its log.",
        "Report it. If it was a submission, send it again with the same `Idempotency-Key`: it is never made "
        "twice.",
    ),
}
"""By the last part of the ``type``."""
