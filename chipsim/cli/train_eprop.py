"""``chipsim train eprop``: e-prop networks of Bellec et al. 2020, trained without torch."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from chipsim.cli.train_options import interrupted, real, whole
from chipsim.errors import InputError
from chipsim.train.eprop.rule import FEEDBACKS, FORMS, Optimiser, Rule
from chipsim.train.eprop.settings import (
    ARITHMETICS,
    FEEDBACK_DECAY,
    RATE_TARGET,
    ROUNDINGS,
    TASKS,
    Arithmetic,
    Settings,
)


def add_parser(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``eprop`` to the kinds of ``chipsim train``."""
    parser = kinds.add_parser(
        "eprop",
        help="e-prop (Bellec et al. 2020) on pattern generation, cues or store-recall",
        description="Train a recurrent network of LIF and ALIF neurons with e-prop and write its "
        "weights and training record. Needs no torch. What is not given is the task's own.",
    )
    parser.set_defaults(run=run)
    add = parser.add_argument
    add("--task", choices=TASKS, required=True, help="what to learn")
    add("--out", type=Path, metavar="FILE", help="weights to write (models/eprop_TASK.pt)")
    add("--trace", type=Path, metavar="FILE", help="trace to write: inputs of the test trials")
    add("--resume", action="store_true", help="go on with the interrupted run of --out")
    add("--checkpoint-every", type=whole(1), metavar="N", help="keep the run every N iterations")
    add("--test-trials", type=whole(1), default=512, help="fresh trials at the end (%(default)s)")
    _add_training(parser)
    _add_chip(parser)
    _add_network(parser)


def run(args: argparse.Namespace) -> int:
    """Run ``chipsim train eprop`` as parsed; return the exit code.

    InputError if options do not go together or a file is wrong.
    """
    from chipsim.train.eprop.job import Job, train_eprop
    from chipsim.train.eprop.recipes import RECIPES

    recipe = RECIPES[args.task]
    job = Job(
        out=args.out or Path(f"models/eprop_{args.task.replace('-', '_')}.pt"),
        settings=settings_of(args),
        checkpoint_every=args.checkpoint_every or recipe.checkpoint_every,
        test_trials=args.test_trials,
        trace=args.trace,
        resume=args.resume,
    )
    try:
        summary = train_eprop(job)
    except KeyboardInterrupt:
        return interrupted(job.unfinished)
    trials = "the frozen trial" if recipe.task.frozen else f"{job.test_trials} fresh trials"
    print(f"{job.out}: {recipe.task.unit} {summary.score:.4f} on {trials},")
    print(f"  LIF neurons at {summary.lif_rate:.1f} Hz, ALIF at {summary.alif_rate:.1f} Hz")
    return 0


def _add_training(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--feedback", choices=FEEDBACKS, default="random", help="of the error (%(default)s)")
    add("--feedback-decay", type=real(high=1.0), default=FEEDBACK_DECAY,
        help="lost an update by adaptive feedback and readout (%(default)s)")  # fmt: skip
    add("--gradient", choices=FORMS, default="adjoint",
        help="its form: backwards in time, or with traces per synapse (%(default)s)")  # fmt: skip
    add("--seed", type=whole(0), default=0, help="of weights and trials (%(default)s)")
    add("--iterations", type=whole(1), help="updates at most")
    add("--batch", type=whole(1), help="trials an update")
    add("--optimiser", choices=("sgd", "adam"), help="with a rate of its own: give --rate too")
    add("--rate", type=real(above=True), help="learning rate")
    add("--fall", type=real(high=1.0), help="factor on the learning rate after every --fall-every")
    add("--fall-every", type=whole(0), metavar="N", help="iterations; 0: the rate stays")
    add("--rate-cost", type=real(), help="of firing rates other than 10 Hz")
    add("--curriculum", action="store_true", help="cues: learn 1, 3, 5, then 7 cues")
    add("--stop-score", type=real(), metavar="X",
        help="stop when the last 8 batches scored X or less (0: hardly ever)")  # fmt: skip


def _add_chip(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--arithmetic", choices=ARITHMETICS,
        help="float32, or that of a SpiNNaker core (only that for cues-perrett)")  # fmt: skip
    add("--rounding", choices=ROUNDINGS, default="truncate", help="of S16.15 (%(default)s)")
    add("--signal-delay", type=whole(0), metavar="STEPS",
        help="by which the layer gets the error late (float32: 0; on the chip: 2)")  # fmt: skip


def _add_network(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--lif", type=whole(0), help="LIF neurons")
    add("--alif", type=whole(0), help="ALIF neurons")


def settings_of(args: argparse.Namespace) -> Settings:
    """Return the settings that options and recipe make; InputError if they do not go together."""
    from chipsim.train.eprop.recipes import RECIPES

    recipe = RECIPES[args.task]
    lif = recipe.neurons.lif if args.lif is None else args.lif
    alif = recipe.neurons.alif if args.alif is None else args.alif
    if lif + alif == 0:
        raise InputError("--lif 0 and --alif 0: at least one neuron is needed")
    if alif and not recipe.neurons.alif:
        raise InputError(f"--alif {alif}: the settings of task {args.task} know LIF neurons only")
    if args.curriculum and recipe.task.stages == 1:
        raise InputError(f"--curriculum: task {args.task} has one stage only; cues has four")
    own: Arithmetic = "s16.15" if recipe.continuous else "float32"
    arithmetic: Arithmetic = args.arithmetic or own
    _check_chip(args, arithmetic, recipe.continuous)
    rule = Rule(
        feedback=args.feedback,
        rate_cost=recipe.rate_cost if args.rate_cost is None else args.rate_cost,
        rate_target=RATE_TARGET,
        feedback_spread=recipe.feedback_spread[args.feedback],
        feedback_decay=args.feedback_decay,
        gradient=args.gradient,
        signal_delay=args.signal_delay or (2 if arithmetic == "s16.15" else 0),
    )
    return Settings(
        task=args.task,
        neurons=replace(recipe.neurons, lif=lif, alif=alif),
        rule=rule,
        optimiser=_optimiser(args, recipe.optimiser),
        seed=args.seed,
        iterations=args.iterations or recipe.iterations,
        batch=args.batch or recipe.batch,
        curriculum=args.curriculum or recipe.curriculum,
        stop_score=recipe.stop_score if args.stop_score is None else args.stop_score,
        arithmetic=arithmetic,
        rounding=args.rounding,
        continuous=recipe.continuous,
    )


def _check_chip(args: argparse.Namespace, arithmetic: Arithmetic, continuous: bool) -> None:
    if continuous and arithmetic == "float32":
        raise InputError(
            f"--arithmetic float32: task {args.task} learns at every step, which only s16.15 does"
        )
    if arithmetic == "float32" and args.rounding != "truncate":
        raise InputError(f"--rounding {args.rounding}: is of --arithmetic s16.15")
    if arithmetic == "s16.15" and args.signal_delay not in (None, 2):
        raise InputError(
            f"--signal-delay {args.signal_delay}: on the chip an error comes 2 steps late"
        )


def _optimiser(args: argparse.Namespace, own: Optimiser) -> Optimiser:
    kind = args.optimiser or own.kind
    if kind != own.kind and args.rate is None:
        raise InputError(f"--optimiser {kind}: give its --rate; {own.kind} has {own.rate:g}")
    return replace(
        own,
        kind=kind,
        rate=own.rate if args.rate is None else args.rate,
        fall=own.fall if args.fall is None else args.fall,
        fall_every=own.fall_every if args.fall_every is None else args.fall_every,
    )
