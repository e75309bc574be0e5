import pytest

from imagemill.inputs.reference import NoReference, Rules, read_buckets

FILE = "file_01JABCDEFGHJKMNPQRSTVWXYZ0"
SECRET = "sig=very-secret"
RULES = Rules(buckets=("shop", "feeds/spring"))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (FILE, "file"),
        ("https://example.com/a.png?sig=1", "address"),
        ("HTTPS://example.com/a.png", "address"),
        ("https://example.com:443/a.png", "address"),
        ("https://93.184.216.34/a.png", "address"),
        ("s3://shop/a/b c".replace(" ", "+"), "object"),
        ("s3://feeds/spring/a.png", "object"),
    ],
)
def test_references_are_understood(text: str, kind: str) -> None:
    assert RULES.read(text).kind == kind


def test_an_object_s_bucket_and_key_are_told_apart() -> None:
    read = RULES.read("s3://shop/a/b.png")
    assert (read.bucket, read.key) == ("shop", "a/b.png")


@pytest.mark.parametrize(
    "address",
    [
        "https://127.0.0.1/",
        "https://user:secret@example.com/",
        "https://example.com:8443/",
        "https://example.com:22/",
        "https://",
        "https:///a.png",
        "http://example.com/a.png",
    ],
)
def test_an_address_that_is_not_fetched_is_refused_without_being_repeated(address: str) -> None:
    with pytest.raises(NoReference) as refused:
        RULES.read(f"{address}?{SECRET}")

    assert refused.value.code == "input_address_refused"
    assert SECRET not in refused.value.problem + str(refused.value)


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("", "input_missing", "give the id of an uploaded file"),
        ("a.png", "input_missing", "give the id of an uploaded file"),
        ("file_123", "input_missing", "no reference"),
        ("ftp://example.com/a.png", "input_missing", "https://"),
        ("file:///etc/passwd", "input_missing", "https://"),
        (f"{FILE} {FILE}", "input_missing", "white space"),
        ("https://example.com/a\nb", "input_missing", "white space"),
        ("data:image/png;base64,AAAA", "input_missing", "upload it to /v1/files"),
        ("https://example.com/" + "a" * 2048, "input_missing", "at most 2048"),
        ("s3://other/a.png", "input_bucket_not_allowed", "'other'"),
        ("s3://feeds/springtime/a.png", "input_bucket_not_allowed", "'feeds'"),
        ("s3://feeds/a.png", "input_bucket_not_allowed", "'feeds'"),
        ("s3://shop/../feeds/a.png", "input_missing", "s3://bucket/key"),
        ("s3://feeds/spring/../a.png", "input_missing", "s3://bucket/key"),
        ("s3://shop//a.png", "input_missing", "s3://bucket/key"),
        ("s3://shop/", "input_missing", "s3://bucket/key"),
        ("s3://shop", "input_missing", "s3://bucket/key"),
        ("s3:///a.png", "input_missing", "s3://bucket/key"),
    ],
)
def test_what_is_no_reference_is_told_what_would_be(text: str, code: str, says: str) -> None:
    with pytest.raises(NoReference) as refused:
        RULES.read(text)

    assert refused.value.code == code
    assert says in refused.value.problem
    assert RULES.problem(text) == refused.value.problem


def test_no_bucket_is_allowed_by_default() -> None:
    with pytest.raises(NoReference, match="input_bucket_not_allowed"):
        Rules().read("s3://shop/a.png")


def test_http_and_private_addresses_can_be_allowed_apart() -> None:
    assert Rules(allow_http=True).read("http://example.com/a").kind == "address"
    assert Rules(allow_private=True).read("https://127.0.0.1:8443/a").kind == "address"
    for rules, text in (
        (Rules(allow_http=True), "http://127.0.0.1/a"),
        (Rules(allow_private=True), "http://127.0.0.1/a"),
    ):
        with pytest.raises(NoReference):
            rules.read(text)


@pytest.mark.parametrize("text", ["shop,feeds/spring", ' ["shop", "feeds/spring/"] ', "shop, feeds/spring,"])
def test_buckets_are_read_as_json_or_with_commas(text: str) -> None:
    assert read_buckets(text) == ("shop", "feeds/spring")


def test_a_list_that_names_no_buckets_is_empty_and_nonsense_is_refused() -> None:
    assert read_buckets("") == read_buckets("[]") == ()
    for text in ("s3://shop", "Shop", "shop//a", "a b"):
        with pytest.raises(ValueError, match="no list"):
            read_buckets(text)


def test_a_reference_does_not_show_its_address() -> None:
    assert SECRET not in repr(RULES.read(f"https://example.com/a?{SECRET}"))


@pytest.mark.parametrize(
    ("text", "bucket", "prefix"),
    [
        ("s3://shop/feeds/", "shop", "feeds/"),
        ("s3://shop/feeds/2026-", "shop", "feeds/2026-"),
        ("s3://shop/", "shop", ""),
        ("s3://shop", "shop", ""),
        ("s3://feeds/spring/", "feeds", "spring/"),
        ("s3://feeds/spring/a", "feeds", "spring/a"),
    ],
)
def test_a_prefix_is_understood(text: str, bucket: str, prefix: str) -> None:
    read = RULES.read_prefix(text)
    assert (read.bucket, read.key) == (bucket, prefix)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("shop/feeds/", "input_missing"),
        ("https://shop/feeds/", "input_missing"),
        ("s3://SHOP/feeds/", "input_missing"),
        ("s3://shop//feeds/", "input_missing"),
        ("s3://shop/../feeds/", "input_missing"),
        ("s3://shop/a/..", "input_missing"),
        ("s3://shop/a b", "input_missing"),
        ("s3://shop/" + "a" * 2048, "input_missing"),
        ("s3://other/feeds/", "input_bucket_not_allowed"),
        ("s3://feeds/", "input_bucket_not_allowed"),
        ("s3://feeds/spring", "input_bucket_not_allowed"),
        ("s3://feeds/springtime/", "input_bucket_not_allowed"),
    ],
)
def test_a_prefix_that_may_not_be_read_is_refused(text: str, code: str) -> None:
    with pytest.raises(NoReference) as refused:
        RULES.read_prefix(text)
    assert refused.value.code == code
