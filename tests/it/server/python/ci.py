"""A CI job is run, and its run is followed."""

import asyncio

from lavamux import Lab, WrongUse
from lavamux.aio import AsyncLab

lab = Lab(user="alice")
print("ci:", [(ci["name"], ci["script"], ci["user"]) for ci in lab.ci_jobs()])
job = lab.run_ci("smoke", "one", "--two")
print("said:", [line["msg"] for line in job.log() if "given" in str(line["msg"])])
print("came to", job.look().health, [(one.case, one.result, one.measurement) for one in job.results()])
try:
    lab.run_ci("nosuch")
except WrongUse as error:
    print("wrong:", error)


async def story():
    lab = AsyncLab(user="alice")
    job = await lab.run_ci("smoke", "wait")
    async for line in job.log():
        if "waits" in str(line["msg"]):
            break
    await job.cancel()
    print("async:", (await job.wait(60)).health, [one.id for one in await lab.jobs()] == [job.id, job.id - 1], len(await lab.ci_jobs()))


asyncio.run(story())
