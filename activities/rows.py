"""The rows of a submission as drafts: inline, of a manifest through its templates, or of an earlier job."""

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path

from activities.drafts import (
    Draft,
    RowDrafts,
    draft_again,
    inline_drafts,
    rendered,
    sliced,
    templates_of,
    variables_of,
)
from activities.retrying import chosen_items
from activities.sources import Sources
from imagemill.domain.errors import InvalidInput, ObjectMissing
from imagemill.domain.job import Manifest, Submission
from imagemill.domain.manifests import FoundManifest
from imagemill.domain.places import file_key
from imagemill.inputs.reference import Rules
from imagemill.inputs.uploads import no_file
from imagemill.manifest import HEAD_BYTES, check_head, read_rows
from imagemill.ports import ObjectStore, Templating


class Rows:
    """Reads the rows of one submission.

    Attributes:
        manifest: what the manifest's source led to, once its rows are read; None where it has none.
    """

    def __init__(
        self,
        control: ObjectStore,
        templating: Templating,
        rules: Rules,
        sources: Sources | None = None,
        *,
        pins: bool = True,
    ) -> None:
        self._control = control
        self._templating = templating
        self._rules = rules
        self._sources = sources
        self._pins = pins
        self.manifest: FoundManifest | None = None

    async def drafts(self, submission: Submission) -> AsyncGenerator[Sequence[Draft], None]:
        """Every row as a draft, a batch at a time.

        Raises:
            InvalidInput: the rows can't be had.
        """
        if submission.items is not None:
            async with aclosing(inline_drafts(submission, self._templating)) as inline:
                async for items in inline:
                    yield items
        elif submission.manifest:
            async with aclosing(self._of_manifest(submission, submission.manifest)) as batches:
                async for some in batches:
                    yield some
        elif submission.retry:
            async with aclosing(chosen_items(self._control, submission.tenant, submission.retry)) as chunks:
                async for chosen in chunks:
                    yield [draft_again(item, submission) for item in chosen]

    async def _of_manifest(
        self, submission: Submission, manifest: Manifest
    ) -> AsyncGenerator[Sequence[Draft], None]:
        makes = RowDrafts(submission, manifest, self._rules)
        renderer = await self._templating.start(templates_of(manifest), manifest.where)
        try:
            with tempfile.TemporaryDirectory(prefix="imagemill-") as folder:
                path = Path(folder) / "manifest"
                await self._fetch(submission, manifest, path)
                rows = read_rows(path, manifest.format, manifest.encoding)
                async with aclosing(rendered(rows, renderer, variables_of(submission))) as batches:
                    async for batch in batches:
                        for drafts in sliced(
                            draft for row, answer in batch for draft in makes.of(row, answer)
                        ):
                            yield drafts
        finally:
            await renderer.close()

    async def _fetch(self, submission: Submission, manifest: Manifest, path: Path) -> None:
        if manifest.source is None:
            file_id = manifest.file_id or ""
            try:
                await self._control.download(file_key(submission.tenant, file_id), path)
            except ObjectMissing:
                # It was there at submission; a schedule's may be gone when a run comes.
                raise InvalidInput([("manifest/file_id", no_file(file_id))]) from None
            return
        if self._sources is None:
            raise InvalidInput([("manifest", "this worker fetches no manifests")])
        tenant, source = submission.tenant, manifest.source
        if self._pins:
            self.manifest = await self._sources.pinned(tenant, submission.job, source, path)
        else:
            self.manifest = await self._sources.fetch(tenant, source, path)
        await asyncio.to_thread(_check_form, path, manifest, self.manifest.place)


def _check_form(path: Path, manifest: Manifest, place: str) -> None:
    """What the API checks of an uploaded file when a job names it."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    try:
        check_head(head, manifest.format, manifest.encoding)
    except InvalidInput as error:
        where, what = error.problems[0]
        raise InvalidInput([(where, f"{place}: {what}")]) from None
