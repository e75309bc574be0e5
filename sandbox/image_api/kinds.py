"""What can go wrong."""

from enum import StrEnum


class Kind(StrEnum):
    """What can go wrong. Whether the call is billed is part of the kind."""

    # Not billed.
    ERROR_UNBILLED = "error_unbilled"
    ERROR_500_UNBILLED = "error_500_unbilled"
    NON_JSON_500 = "non_json_500"
    SLOW_START = "slow_start"
    RESET_BEFORE_BILLING = "reset_before_billing"
    RATE_LIMIT = "rate_limit"
    RATE_LIMIT_TOKENS = "rate_limit_tokens"
    REQUEST_TOO_LARGE = "request_too_large"
    INSUFFICIENT_QUOTA = "insufficient_quota"
    BILLING_HARD_LIMIT = "billing_hard_limit"
    INVALID_API_KEY = "invalid_api_key"
    UNVERIFIED_ORG = "unverified_org"
    MODEL_NOT_FOUND = "model_not_found"
    CONTENT_POLICY = "content_policy"
    MODERATION_INPUT = "moderation_input"
    # Billed, and refused after all.
    MODERATION_OUTPUT = "moderation_output"
    MODERATION_UNSAID = "moderation_unsaid"
    ERROR_BILLED = "error_billed"
    ERROR_500_BILLED = "error_500_billed"
    # Billed, and the answer does not arrive whole, or late.
    RESET_AFTER_BILLING = "reset_after_billing"
    TRUNCATE = "truncate"
    HANG = "hang"
    DRIP = "drip"
    DELAY = "delay"
    STREAM_ERROR = "stream_error"
    # Billed, and the answer says something odd.
    EMPTY_DATA = "empty_data"
    NO_USAGE = "no_usage"
    ZERO_USAGE = "zero_usage"
    FEWER_IMAGES = "fewer_images"
    WRONG_MIME = "wrong_mime"
    URL_INSTEAD = "url_instead"
    EXTRA_FIELDS = "extra_fields"
    ODD_BASE64 = "odd_base64"
    BROKEN_BASE64 = "broken_base64"
    DATA_URL = "data_url"
    TASK_INSTEAD = "task_instead"
