"""Compatible providers: the same API, with small differences."""

from dataclasses import dataclass

from sandbox.image_api.kinds import Kind


@dataclass(frozen=True, slots=True)
class Profile:
    """How a provider differs from the original one.

    Attributes:
        images_path: where its image endpoints are; `{deployment}` names the model if it is in there.
        models_path: where it lists its models.
        key_header: what carries the key; in `authorization` it is a bearer key.
        api_version: whether `?api-version=` must be in every URL.
        aspect_ratio: whether it takes `aspect_ratio` in the place of `size`.
        oddities: what its answers always suffer from.
        serves: models that it has beyond their date.
    """

    name: str
    images_path: str = "/v1/images"
    models_path: str = "/v1/models"
    key_header: str = "authorization"
    api_version: bool = False
    aspect_ratio: bool = False
    oddities: frozenset[Kind] = frozenset()
    serves: frozenset[str] = frozenset()


OPENAI = Profile("openai")

PROFILES = {
    profile.name: profile
    for profile in (
        OPENAI,
        Profile(
            "azure",
            images_path="/openai/deployments/{deployment}/images",
            models_path="/openai/models",
            key_header="api-key",
            api_version=True,
        ),
        Profile("url-only", oddities=frozenset({Kind.URL_INSTEAD})),
        Profile("zero-usage", oddities=frozenset({Kind.ZERO_USAGE})),
        Profile("no-usage", oddities=frozenset({Kind.NO_USAGE})),
        Profile("no-size", aspect_ratio=True),
        Profile("async-task", oddities=frozenset({Kind.TASK_INSTEAD})),
    )
}
