//! What CI jobs may not: be too many, and be in anybody's way.

use super::*;
use crate::model::CiJob;

pub(super) async fn a_user_has_so_many_ci_jobs_and_runs_that_wait_at_most(server: Server) {
    let [alice, bob] = ["alice", "bob"].map(|user| Asker {
        rights: Rights::of("*".parse().unwrap(), Right::Write),
        ..asker(user, Right::Write)
    });
    let job = || CiJob { git: "https://host/r".into(), script: "a.py".into(), ..CiJob::default() };
    {
        // Whoever has the lab to themselves is not waited for.
        let _state = server.0.state.lock().await;
        let put = server.put_ci(name("ci0"), job(), &alice);
        tokio::time::timeout(std::time::Duration::from_secs(30), put).await.unwrap().unwrap();
    }
    for number in 1..200 {
        server.put_ci(name(&format!("ci{number}")), job(), &alice).await.unwrap();
    }
    let refused = server.put_ci(name("more"), job(), &alice).await.unwrap_err().to_string();
    assert_eq!(refused, "alice has 200 CI jobs already, which is the most");
    server.put_ci(name("ci7"), job(), &alice).await.unwrap();
    server.put_ci(name("more"), job(), &bob).await.unwrap();

    for _ in 0..200 {
        server.run_ci("ci7", Vec::new(), &alice).await.unwrap();
    }
    let refused = server.run_ci("ci7", Vec::new(), &alice).await.unwrap_err().to_string();
    assert!(refused.starts_with("alice has 200 runs already that wait for a worker"), "{refused}");
    let runs = server.run_ci("ci7", Vec::new(), &bob).await.unwrap();
    server.cancel_job(runs.id - 1, &alice).await.unwrap();
    server.run_ci("ci7", Vec::new(), &alice).await.unwrap();
}
