//! Why something cannot be done with a job.

use crate::model::{Failure, Kind, Name, Refusal};

#[derive(Debug, thiserror::Error)]
pub enum JobError {
    #[error("there is no job {0}")]
    NoJob(u64),
    #[error("{}", .0.message)]
    Definition(Failure),
    #[error("job {id} is {user}'s")]
    NotYours { id: u64, user: String },
    #[error("request {request} has the boards of job {job}")]
    HasBoards { request: u64, job: u64 },
    #[error(
        "request {request} was given back, or its time was over, and ends with its boot, job {job}"
    )]
    LeaseEnds { request: u64, job: u64 },
    #[error("job {0} has ended already")]
    Ended(u64),
    #[error("another worker of the name {0} is there")]
    OtherWorker(Name),
    #[error("job {id} is none of {worker}'s")]
    NotOn { id: u64, worker: Name },
    #[error("the log of job {id} has {held} of its {bytes} bytes here")]
    LogShort { id: u64, held: u64, bytes: u64 },
    #[error("job {id} has no log of a board {board:?}")]
    NoLog { id: u64, board: String },
    #[error("{0} has no health check: lava board set {0} --health-check FILE")]
    NoCheck(Name),
    #[error(
        "a dictionary's commands are run by workers: who sets {0}'s needs control of everything"
    )]
    Dictionary(Name),
    #[error("there is no CI job {0:?}")]
    NoCi(String),
    #[error("the CI job {name} is {user}'s")]
    NotYourCi { name: Name, user: String },
    #[error("no pass and no token can be made: {0}")]
    Random(std::io::Error),
    #[error("the log of job {id}: {error}")]
    Log { id: u64, error: std::io::Error },
    #[error(
        "job {id} cannot be let in at its boards' daemons (by the file of the token, or of the key): {error}"
    )]
    Token { id: u64, error: std::io::Error },
}

impl From<JobError> for Failure {
    fn from(error: JobError) -> Self {
        let text = error.to_string();
        match error {
            JobError::Definition(failure) => failure,
            JobError::NoJob(_) => Self::new(Kind::User, text).hint("lava jobs lists them"),
            JobError::NoLog { .. } | JobError::NoCheck(_) => Self::new(Kind::User, text),
            JobError::NoCi(_) => Self::new(Kind::User, text).hint("lava ci list has them"),
            JobError::NotYours { .. } | JobError::NotYourCi { .. } | JobError::Dictionary(_) => {
                Self::new(Kind::Refused, text).because(Refusal::Rights)
            }
            JobError::OtherWorker(_) => Self::new(Kind::Refused, text)
                .hint("give one of them another name: lava-dispatcher worker --name NAME"),
            JobError::HasBoards { job, .. } => {
                Self::new(Kind::Refused, text).hint(format!("lava job cancel {job} ends it"))
            }
            JobError::LeaseEnds { .. }
            | JobError::Ended(_)
            | JobError::NotOn { .. }
            | JobError::LogShort { .. } => Self::new(Kind::Refused, text),
            JobError::Random(_) | JobError::Log { .. } | JobError::Token { .. } => {
                Self::new(Kind::Infra, text)
            }
        }
    }
}
