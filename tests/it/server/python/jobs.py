import asyncio
from pathlib import Path

from lavamux import Lab, WrongUse
from lavamux.aio import AsyncLab

lab = Lab()
job = lab.submit_job(Path("job.yaml"))
again = job.resubmit()
again.cancel()
print("again:", again.wait(60, progress=lambda job: print("stands", job.state)))

log = list(job.log())
print("log:", log[0]["lvl"], any("Linux version" in str(line["msg"]) for line in log))
print("came to", job, job.boards, job.error)
print("linux:", [result.result for result in job.results() if result.case == "linux"])
print("junit:", "<testsuites>" in job.junit())
print("jobs:", [job.id for job in lab.jobs()] == [again.id, job.id], lab.job(job.id).health)


async def main():
    try:
        await (await AsyncLab().submit_job(Path("job.yaml"))).wait(0.0)
    except TimeoutError as error:
        print("async:", error)


asyncio.run(main())
for wrong in ("job.yaml", "a: b\n"):
    try:
        lab.submit_job(wrong)
    except WrongUse as error:
        print("wrong:", str(error).splitlines()[0])
