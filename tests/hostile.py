"""What a shared folder could hold to run script, and every panel that shows what it holds."""

import functools
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import ipywidgets

import fddkit as fdd
from fddkit.core.errors import FddkitError
from fddkit.core.files import write_json
from fddkit.data.catalogue import CATALOGUE
from fddkit.experiments.records import Record
from fddkit.rules.rules import RULES
from fddkit.widgets import classroom, controls, distil, explorer, inspector, live, past, results
from fddkit.workbench.choice import Choice
from fddkit.workbench.finished import Finished
from fddkit.workbench.jobs import Job
from fddkit.workbench.scenes import Bench
from fddkit.workbench.worker import Order

PLAIN = "harmless"
RUN = "top.__xss=(top.__xss||0)+1"  # no quote and no blank: it runs wherever it is put
_IMG = f"<img src=x onerror={RUN}>"


class Payload(NamedTuple):
    """A text, a place where it runs if it is put there as it is, and the way to show that."""

    text: str
    place: str = "{}"
    way: str = "inner"


PAYLOADS = {
    "image": Payload(f'<img src=x onerror="{RUN}">'),
    "svg": Payload(f"<svg><svg onload={RUN}></svg></svg>"),
    "script": Payload(f"<script>{RUN}</script>", way="fragment"),
    "double quote": Payload(f'x" onmouseover="{RUN}" a="', '<p title="{}">a</p>'),
    "single quote": Payload(f"x' onmouseover='{RUN}' a='", "<p title='{}'>a</p>"),
    "no quote": Payload(f"x onmouseover={RUN}", "<p title={}>a</p>"),
    "address": Payload(f"javascript:{RUN}", '<a href="{}">a</a>'),
    "end of style": Payload(f"</style>{_IMG}", "<style>p {{ color: {} }}</style>"),
    "end of title": Payload(f"</title>{_IMG}", "<title>{}</title>"),
    "end of comment": Payload(f"-->{_IMG}<!--", "<!-- {} -->"),
    "entities": Payload(f"&lt;img src=x onerror={RUN}&gt;", way="decoded"),
    "numbered entities": Payload(f"&#60;img src=x onerror={RUN}&#x3e;", way="decoded"),
    "wide letters": Payload(f"\uff1cimg src=x onerror={RUN}\uff1e", way="normalised"),
    "odd blanks": Payload(f"<img\fsrc=\0\fonerror={RUN}\f>"),
    "frame": Payload(f'<iframe srcdoc="<script>{RUN}</script>"></iframe>'),
    "mathematics": Payload(
        f"<form><math><mtext></form><form><mglyph><style></math>{_IMG}", way="again"
    ),
    "template": Payload(f"{{0}}{{}}{{ink}}%s{_IMG}{{0.__class__}}"),
}
ALL = "".join(payload.text for payload in PAYLOADS.values())


@functools.cache
def made():
    """Return a small distilled set, a report of it, and a bench that has painted its data."""
    train, test = fdd.load("digits")
    s = fdd.distill(train, "dm", ipc=1, preset="smoke", progress=False)
    report = fdd.evaluate(s, test, repeats=1, preset="smoke", progress=False)
    return s, report, Bench()


def a_choice(text: str) -> Choice:
    """Return a choice all of whose names are a text."""
    made = Choice(ipc=1)
    names = ("dataset", "method", "fairness", "sampling", "seed", "preset")
    vars(made).update(dict.fromkeys(names, text))  # it would not take them itself
    return made


def a_report(text: str) -> fdd.FairnessReport:
    """Return a report all of whose names are a text."""
    _, report, _ = made()
    names = {"target_names": [text] * 10, "group_names": [text] * 10, "preset": text}
    names["data"] = {
        "dataset": {"dataset": text, "gap": None, "br": 0.75},
        **{"ipc": 1, "method": text, "fairness": text},
    }
    named = {"networks": [text], "config": names, "versions": {text: text}}
    return replace(report, counterfactual=replace(report.counterfactual, **named), **named)


def a_set(text: str) -> fdd.DistilledSet:
    """Return a distilled set all of whose names are a text."""
    s, _, _ = made()
    names = (text,) * 10
    config = {"dataset": {"dataset": text}, "method": text, "fairness": text, "preset": text}
    return replace(s, target_names=names, group_names=names, config=config, versions={text: text})


class HostileBench:
    """Bench whose classes, groups and rules are called by a text, or that complains with it."""

    def __init__(self, text: str, complains: bool = False, **choice: object):
        self.text, self.complains = text, complains
        self.real = Choice(ipc=1).with_(**choice)
        self.names = (text,) * self.real.groups

    def scene(self, choice):
        if self.complains:
            raise FddkitError(self.text)
        real = made()[2].scene(self.real)
        return replace(
            real,
            choice=choice,
            target_names=(self.text,) * 10,
            group_names=self.names,
            centres=real.centres | {self.text: real.centres["cobra"]},
        )

    def canvas(self, choice):
        real = made()[2].canvas(self.real)
        return replace(real, target_names=(self.text,) * 10, group_names=self.names)


def shared_folder(text: str, folder: Path) -> Path:
    """Fill a folder of reports with runs all of whose names are a text; return it."""
    reports = folder / file_name(text)
    explored = reports / "explore" / "a.safetensors"
    explored.parent.mkdir(parents=True)
    a_set(text).save(explored)
    a_report(text).save(explored.with_name("a.x1.json"))
    run = reports / file_name(text) / file_name(text)
    run.mkdir(parents=True)
    given = {"dataset": text, "br": 0.75, "ipc": 1, "method": text, "preset": text, "gap": None}
    rule = f"{text} again"
    given |= {"rules": [rule], "seed": 0}
    Record(text, text, given, given, {text: text}, text, 1.0, "finished", text, text).save(run)
    number = {"mean": 50.0, "std": 1.0, "ci95": [49.0, 51.0], "noise_floor": 3.0, "p": 0.5}
    number |= {"most_by_chance": 5.0, "unit": text, "n": 3}
    numbers = {f"{rule} {name}": number for name in ("accuracy", "DEO_M", "DEO_A")}
    write_json(run / "metrics.json", {"numbers": numbers, "doubts": {rule: text}})
    return reports


def file_name(text: str) -> str:
    """Return a text without what no file name can hold."""
    return text.replace("/", "_").replace("\0", "_")


def panels(text: str, folder: Path, patch):
    """Yield every panel in every state, showing a text wherever it shows something not ours.

    Parameters
    ----------
    text : str
        Stands for the name of a class, group, data set, rule, method, preset, file, report and
        network, for a number that is not one, and for what an error says.
    folder : Path
        An empty folder.
    patch : pytest.MonkeyPatch
        Undone by the caller.

    Yields
    ------
    name : str
        Of panel and state.
    shown : Widget or str
        What is displayed; a str is HTML.
    """
    names = {"target_names": (text,) * 10, "group_names": (text,) * 10}
    entry = replace(CATALOGUE["digits"], name=text, title=text, **names)
    patch.setitem(CATALOGUE, text, entry)
    patch.setitem(RULES, text, RULES["cobra"])
    choice = a_choice(text)
    yield from _controls(text, patch)
    yield from _live(text, choice)
    yield from _distil(text, choice, folder)
    yield from _inspector(text, choice, folder)
    yield from _results(text)
    yield from _classroom(text, choice, patch)
    yield from _past(text, choice, folder, patch)


def _controls(text, patch):
    made = controls.Controls(Choice())

    def complain():
        raise FddkitError(text)

    patch.setattr(made, "_read", complain)
    made.br.value = 0.5
    yield "controls, a message", made.box


def _live(text, choice):
    states = {"": {}, "one group": {"br": 1.0}, "groups alike": {"gap": 0, "br": 0.8}}
    for state, changes in states.items():
        panel = live.Live(HostileBench(text, **changes))
        panel.draw(choice)
        yield f"live {state}", panel.box
    panel.bench = HostileBench(text, complains=True)
    panel.draw(choice)
    yield "live, an error", panel.box


def _job(text, choice, folder, state="finished"):
    s, _, _ = made()
    frame = (s.pixels() * 255).byte().numpy()
    out = folder / "set.safetensors"
    a_set(text).save(out)
    report = out.with_suffix(".json")
    a_report(text).save(report)
    told = {"stage": text, "error": text, "step": 2, "total": 2, "losses": {1: 2.0, 2: 1.0}}
    return Job(
        Order(choice, text, text, 1),
        state=state,
        frames={1: frame, 2: frame},
        tested=a_report(text),
        out=out,
        report=report,
        **told,
    )


def _distil(text, choice, folder):
    def refuse(_):
        raise FddkitError(text)

    queue = SimpleNamespace(all=[], submit=refuse)
    panel = distil.Distil(queue, lambda: choice, lambda job, report: None)
    panel.draw(choice)
    panel.start.click()
    yield "distil, refused", panel.box
    for state in distil._SIGNS:
        job = _job(text, choice, folder, state)
        job.out = Path(text)  # its images are there, so that it is not read
        queue.all.append(job)
        panel._list()
        panel.runs.value = job
        yield f"distil, {state}", panel.box


def _inspector(text, choice, folder):
    panel = inspector.Inspector(HostileBench(text))
    assert panel.look(_job(text, choice, folder), 3) == f"class {text}"
    yield "an image", panel.box


def _results(text):
    report = a_report(text)
    yield "rates", results.rates(report)
    yield "comparison", results.table({text: report})
    yield "curve", results.curve({1: 2.0, 2: 1.0}, 2, text)
    yield "report", report._repr_html_()
    yield "figures", explorer._img(fdd.plots.gallery(fdd.load("digits")[0], 1, 0), text)


def _classroom(text, choice, patch):
    patch.setattr(classroom, "STEPS", (classroom.Step(text, text, text, {}),))
    job = SimpleNamespace()
    told = (lambda c: None, lambda: Choice(), lambda c: job, lambda j: None)
    panel = classroom.Classroom(*told)
    yield "classroom, a question", panel.box
    panel.run.click()
    yield "classroom, begun", panel.box
    panel.finished(job, a_report(text))
    yield "classroom, finished", panel.box
    panel.reveal.click()
    yield "classroom, answered", panel.box


def _past(text, choice, folder, patch):
    panel = past.Past(str(shared_folder(text, folder)))
    panel.draw(choice)
    assert [one.rule for one in panel._found] == [text, f"{text} again"]
    assert [label for label, _ in panel.which.options] == [text]
    yield "finished runs", panel.box
    other = past.Past(text)
    other.draw(choice)
    yield "finished runs, none", other.box
    no_number = {"mean": text, "ci95": [text, text], "noise_floor": text, "p": text}
    no_number |= {"most_by_chance": text, "unit": text, "n": text}
    numbers = dict.fromkeys(("accuracy", "deo_m", "deo_a"), no_number)
    names = (text, None, text, text, text, text, text, numbers, Path(text), Path(text), text)

    def broken(_):
        raise FddkitError(text)

    with patch.context() as during:
        during.setattr(past, "nearest", lambda found, choice: [Finished(*names)])
        during.setattr(past.DistilledSet, "load", broken)
        panel.draw(choice)
    yield "finished runs, no number is one", panel.box


def markup(shown) -> list[str]:
    """Return the HTML of a panel: that of all its HTML widgets, in order."""
    if not isinstance(shown, ipywidgets.Widget):
        return [shown]
    own = [shown.value] if isinstance(shown, ipywidgets.HTML | ipywidgets.HTMLMath) else []
    return own + [one for child in getattr(shown, "children", ()) for one in markup(child)]
