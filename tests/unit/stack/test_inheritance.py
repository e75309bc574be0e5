from sandbox.stack.inheritance import inherited


def test_our_settings_are_not_inherited_and_the_rest_is() -> None:
    environment = inherited(environment={"IMAGEMILL_API_KEY": "old", "LANG": "C"})
    assert "IMAGEMILL_API_KEY" not in environment
    assert environment["LANG"] == "C"


def test_others_are_left_out_on_request() -> None:
    environment = inherited("AWS_", "S3_", environment={"AWS_PROFILE": "x", "S3_BUCKET": "y", "LANG": "C"})
    assert not {"AWS_PROFILE", "S3_BUCKET"} & set(environment)


def test_no_proxy_comes_between_the_parts() -> None:
    environment = inherited(environment={"NO_PROXY": "intranet"})
    assert environment["NO_PROXY"] == "intranet,127.0.0.1,localhost"
    assert environment["no_proxy"] == "127.0.0.1,localhost"
