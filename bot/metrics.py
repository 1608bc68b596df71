"""Numbers for an outside monitor: counts by fixed names, nothing about a person."""

from bot.house import House


async def metrics(house: House) -> str:
    """Prometheus text: this process's counters, and the state of the queue."""
    async with house.vault.unit() as unit:
        cases = await unit.cases.count(drills=False)
        ringing = await unit.drills.real_ringing()
        held, _ = await unit.copies.held()
        failed = await unit.jobs.failed()
        workers = await unit.jobs.workers()
    lines = ["# TYPE harborline_events_total counter"]
    lines += [f'harborline_events_total{{event="{name}"}} {n}' for name, n in sorted(house.counts.items())]
    lines += ["# TYPE harborline_cases gauge"]
    lines += [
        f'harborline_cases{{state="{state}",level="{level.word}"}} {n}' for (state, level), n in sorted(cases.items())
    ]
    lines += [
        "# TYPE harborline_alerts_ringing gauge",
        f"harborline_alerts_ringing {ringing}",
        "# TYPE harborline_provider_copies gauge",
        f"harborline_provider_copies {held}",
        "# TYPE harborline_jobs_failed gauge",
        f"harborline_jobs_failed {failed}",
        "# TYPE harborline_workers gauge",
        f"harborline_workers {workers}",
        "# TYPE harborline_understanding_ready gauge",
        f"harborline_understanding_ready {int(house.understanding.ready)}",
    ]
    if house.understanding.rasa_ready is not None:
        lines += ["# TYPE harborline_rasa_ready gauge", f"harborline_rasa_ready {int(house.understanding.rasa_ready)}"]
    return "\n".join(lines) + "\n"
