"""Which networks of a spec may leave the zoo: those that a user can feed, from latents, labels or images."""

from __future__ import annotations

from zoo import training
from zoo.errors import UsageError
from zoo.spec import Export, Plan, Spec


def exported_plans(spec: Spec) -> tuple[Plan, ...]:
    """The networks of an artifact, as the spec has them. Raises UsageError for a spec that cannot be trained, and for
    networks that cannot leave: they take latents and labels, or one image of which they make another.
    """
    training.recipe(spec)
    names = (spec.sections.export or Export()).networks
    if not names or len(set(names)) != len(names) or not set(names) <= set(spec.plans):
        raise UsageError(
            f"{spec.path}: an artifact holds one or more of the networks {', '.join(spec.plans)}, each once; received "
            f"export.networks {list(names)}"
        )
    for plan in (spec.plans[name] for name in names):
        _feedable(spec, plan)
    return tuple(spec.plans[name] for name in names)


def image_fields(spec: Spec) -> tuple[str, ...]:
    """The fields of the data that hold images."""
    return tuple(name for name, shape in spec.fields.items() if len(shape) == 3)


def _feedable(spec: Spec, plan: Plan) -> None:
    images = image_fields(spec)
    if len(plan.inputs) == 1 and plan.inputs.keys() <= set(images) - {plan.output_name} and plan.output_name in images:
        return
    for tap in plan.inputs:
        if tap not in spec.latents and not (tap == "label" and spec.classes):
            raise UsageError(
                f"{spec.path}: input '{tap}' of '{plan.name}', which is exported, is neither a latent nor a label, nor "
                "the only image from which it makes another"
            )
