//! A job for several boards.

use super::Farm;
use crate::common::TestLab;

#[test]
fn a_job_for_two_boards_has_them_at_once_and_a_log_of_each() {
    let lab = TestLab::new();
    let farm = Farm::start(&lab, "");
    let roles = "protocols:\n  lava-multinode:\n    roles:\n      \
                 client: {device_type: lavamux-virtual, count: 1}\n      \
                 server: {device_type: lavamux-virtual, count: 1}\n    timeout: {minutes: 2}\nactions:\n";
    let job = farm.submit(&lab, |job| {
        let job = job.replace("device_type: lavamux-virtual\n", "").replace("actions:\n", roles);
        let job = job.replace("root@panda01:", "root@panda0[12]:");
        ["deploy", "boot", "test"].iter().fold(job, |job, block| {
            let roles = format!("- {block}:\n    role: [client, server]\n");
            job.replace(&format!("- {block}:\n"), &roles)
        })
    });
    let ended = farm.ended(job);
    assert_eq!(ended["health"], "complete", "{ended}");
    assert_eq!(ended["tally"]["pass"], 8, "{ended}");
    let boards = ended["boards"].as_array().unwrap();
    let roles: Vec<_> = boards.iter().map(|board| board["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["client", "server"]);
    for board in boards {
        let name = board["name"].as_str().unwrap();
        let results = farm.server.get(&format!("/jobs/{job}/results?board={name}"));
        assert_eq!(results["job"], "complete", "{results}");
        assert_eq!(farm.cycles(name), 1);
    }
}
