from __future__ import annotations
import yaml
from luthier.core.goal import Goal
from luthier.core.space import Float, Integer, Grid, Categorical
from luthier.sweeps.spec import SweepSpec, Named
def read(source):
    text = source if isinstance(source, str) else yaml.safe_dump(source)
    m = yaml.safe_load(text)
    space = {}
    for k, v in m.get("parameters", {}).items():
        if "value" in v: space[k] = v["value"]
        elif "values" in v: space[k] = Grid(v["values"]) if m["method"] == "grid" else Categorical(v["values"])
        elif isinstance(v["min"], float): space[k] = Float(v["min"], v["max"])
        else: space[k] = Integer(v["min"], v["max"])
    goals = ()
    if "metric" in m: goals = (Goal(m["metric"]["name"], {"minimize":"min","maximize":"max"}[m["metric"].get("goal","minimize")]),)
    sch = m.get("scheduler")
    return SweepSpec(text=text, parameters=space, goals=goals, run_cap=m.get("run_cap"), search=Named(m["method"]) , program=m.get("program"), max_failures=m.get("max_failures",0), target=m.get("metric",{}).get("target"), scheduler=None if sch is None else Named(sch.pop("name"), sch), stop=m.get("stop",{}), project=m.get("project"))
