"""imagemill.gallery: what a finished job is shown by, made when somebody asks for it."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from imagemill.domain.messages import GALLERY, GALLERY_MADE, GalleryTask, Nothing
    from workflows import policies


@workflow.defn(name=GALLERY)
class GalleryWorkflow:
    """One a job at a time; its id is ``gallery/`` and the job's id."""

    @workflow.run
    async def run(self, task: GalleryTask) -> None:
        """Make both; nothing is lost where that fails, since who asks again starts anew."""
        await workflow.execute_activity(
            GALLERY_MADE, task, result_type=Nothing, **policies.gallery(task.times)
        )
