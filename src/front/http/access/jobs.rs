//! Which jobs use what, as far as leases tell: a job's pass counts no longer than the job has what it is for.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::model::{JOB_NAMES, Lease, Name, units};

/// A job has a thing so much longer than the lease by which it has it, as long as nobody else leases it: a lease that
/// becomes somebody else's is ended, and taken again.
const LONGER: Duration = Duration::from_secs(60);
/// So many jobs are known of each thing, the last ones.
const MAX_JOBS: usize = 64;

/// The jobs that leases were shared with, by what was leased. It lasts as long as the process: of what was before nothing
/// is known, and who is not known is not refused.
#[derive(Debug, Default)]
pub(super) struct Jobs(Mutex<HashMap<Name, Known>>);

/// What is known of one thing.
#[derive(Debug, Default)]
struct Known {
    used: Vec<Used>,
    /// Of the jobs up to this number those are over that are not known any more: each job has a higher number than
    /// those before it.
    forgotten: u64,
}

#[derive(Debug)]
struct Used {
    job: u64,
    /// From then on the job is over.
    until: Instant,
}

impl Jobs {
    /// This is the lease of a thing from now on. Whether there are jobs of which that tells.
    pub(super) fn leased(&self, thing: &Name, lease: &Lease, now: Instant) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let jobs = jobs_of(lease);
        if jobs.is_empty() && !all.contains_key(thing) {
            return false;
        }
        let Known { used, forgotten } = all.entry(thing.clone()).or_default();
        used.retain(|one| !jobs.contains(&one.job));
        used.iter_mut().for_each(|one| one.until = one.until.min(now));
        let left_us = lease.until_us.saturating_sub(units::now_us());
        let until = now + Duration::from_micros(left_us) + LONGER;
        used.extend(jobs.into_iter().map(|job| Used { job, until }));
        let surplus = used.len().saturating_sub(MAX_JOBS);
        let gone = used.drain(..surplus).map(|one| one.job).max();
        *forgotten = gone.map_or(*forgotten, |job| job.max(*forgotten));
        true
    }

    /// This lease of a thing is over, and there is no other one. Whether there are jobs of which that tells.
    pub(super) fn ended(&self, thing: &Name, lease: &Lease, now: Instant) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (jobs, known) = (jobs_of(lease), all.get_mut(thing));
        let used = known.into_iter().flat_map(|known| &mut known.used);
        let of_it = used.filter(|one| jobs.contains(&one.job));
        of_it.map(|one| one.until = one.until.min(now + LONGER)).count() > 0
    }

    /// Whether a job had a thing, and has it no more.
    pub(super) fn is_over(&self, job: u64, thing: &Name, now: Instant) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = all.get(thing) else { return false };
        match known.used.iter().find(|one| one.job == job) {
            Some(one) => one.until <= now,
            None => job <= known.forgotten,
        }
    }

    /// When a job will have a thing no more, where that is known.
    pub(super) fn until(&self, job: u64, thing: &Name) -> Option<Instant> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(thing)?.used.iter().find(|one| one.job == job).map(|one| one.until)
    }
}

/// The jobs that may use what is leased: `job:7`, and `job:7.1` of one with several boards.
fn jobs_of(lease: &Lease) -> Vec<u64> {
    let number = |name: &String| {
        let rest = name.strip_prefix(JOB_NAMES)?;
        rest.split('.').next()?.parse::<u64>().ok()
    };
    let mut jobs: Vec<u64> =
        std::iter::once(&lease.holder).chain(&lease.shared_with).filter_map(number).collect();
    jobs.sort_unstable();
    jobs.dedup();
    jobs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(shared_with: &[&str]) -> Lease {
        Lease {
            holder: "lab (alice)".into(),
            shared_with: shared_with.iter().map(ToString::to_string).collect(),
            since_us: 0,
            until_us: units::now_us() + 3_600_000_000,
            reason: None,
        }
    }

    #[test]
    fn a_job_is_over_when_its_lease_is_and_at_once_when_another_one_begins() {
        let (jobs, now) = (Jobs::default(), Instant::now());
        let (tty0, later) = ("tty0".parse().unwrap(), |seconds| now + Duration::from_secs(seconds));
        assert!(!jobs.leased(&tty0, &lease(&["bob"]), now), "no job has to do with it");
        assert!(!jobs.is_over(7, &tty0, now), "it is not known");
        let shared = lease(&["bob", "job:7", "job:7.1"]);
        assert!(jobs.leased(&tty0, &shared, now));
        assert!(!jobs.is_over(7, &tty0, later(3600)) && jobs.is_over(7, &tty0, later(3661)));
        assert!(!jobs.is_over(8, &tty0, now));
        // Given to somebody else, who shares it with the job, too.
        assert!(!jobs.ended(&tty0, &lease(&["job:8"]), now), "it was another job's lease");
        assert!(!jobs.is_over(7, &tty0, later(60)));
        assert!(jobs.ended(&tty0, &shared, now));
        assert!(!jobs.is_over(7, &tty0, later(59)) && jobs.is_over(7, &tty0, later(60)));
        assert_eq!(jobs.until(7, &tty0), Some(later(60)));
        jobs.leased(&tty0, &lease(&["job:7"]), later(1));
        assert!(!jobs.is_over(7, &tty0, later(3600)));
        jobs.ended(&tty0, &shared, later(2));
        jobs.leased(&tty0, &lease(&["job:8"]), later(2));
        assert!(jobs.is_over(7, &tty0, later(2)) && !jobs.is_over(8, &tty0, later(2)));
        let other = "tty1".parse().unwrap();
        assert!(!jobs.is_over(7, &other, later(2)));
    }

    #[test]
    fn however_many_jobs_there_were_it_takes_no_more_memory() {
        let (jobs, now, tty0) = (Jobs::default(), Instant::now(), "tty0".parse().unwrap());
        for job in 0..1000 {
            jobs.leased(&tty0, &lease(&[&format!("job:{job}")]), now);
        }
        assert_eq!(jobs.0.lock().unwrap()[&tty0].used.len(), MAX_JOBS);
        assert!((0..999).all(|job| jobs.is_over(job, &tty0, now)));
        assert!(!jobs.is_over(999, &tty0, now) && !jobs.is_over(1000, &tty0, now));
    }
}
