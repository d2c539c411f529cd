"""What subclasses of schedulers may not override, because nobody would call it."""

from __future__ import annotations

from luthier.core.errors import BadArgument

# Inner methods of Ray Tune's schedulers that users are known to override.  Ours have other insides.
STRANGERS = frozenset({
    "_add_two_bundles",
    "_are_bundles_below_limit",
    "_are_resources_the_same",
    "_checkpoint_or_exploit",
    "_create_bracket",
    "_create_new_bundles",
    "_exploit",
    "_explore",
    "_get_added_bundles",
    "_get_multiplier",
    "_get_new_config",
    "_get_resources_from_bundles",
    "_get_trial_to_clone",
    "_median_result",
    "_modify_bundles_with_free_resources",
    "_on_insufficient_samples",
    "_perturb_trial",
    "_process_bracket",
    "_quantiles",
    "_remove_bundles",
    "_save_trial_state",
    "_trials_beyond_time",
    "_unpause_trial",
    "reallocate_trial_resources_if_needed",
    "set_trial_resources",
})  # fmt: skip


def refuse_strangers(thing: object, argument: str, wanted: str) -> None:
    """Refuse an object whose class overrides what Ray Tune's class calls and ours does not.

    A class that inherits nothing but the bare start (whose methods are all its own) may name them as it likes.

    Raises:
        BadArgument: it does.
    """
    classes = type(thing).__mro__
    ours = [cls for cls in classes if cls.__module__.startswith("luthier.")]
    if not ours or ours[0].__name__ in ("TrialScheduler", "FIFOScheduler"):
        return
    for cls in classes[: classes.index(ours[0])]:
        for name in sorted(STRANGERS & vars(cls).keys()):
            if not hasattr(ours[0], name):
                raise BadArgument(
                    argument,
                    thing,
                    wanted,
                    f"{cls.__name__} overrides {name}, an inner method of Ray Tune's {ours[0].__name__} that is not "
                    "there in Luthier's: nobody would call it",
                )
