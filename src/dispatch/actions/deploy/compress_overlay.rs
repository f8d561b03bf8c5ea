//! `compress-overlay`: the overlay as one archive that can be appended to a ramdisk.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;

use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::overlay::environment;

#[derive(Debug)]
pub(super) struct CompressOverlay;

impl Action for CompressOverlay {
    fn name(&self) -> &'static str {
        "compress-overlay"
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let path = context.scratch().join(format!("overlay-{}.cpio", context.now.level));
            let failed = |error: std::io::Error| {
                Error::Infrastructure(format!("the overlay cannot be made: {error}"))
            };
            std::fs::create_dir_all(context.scratch()).map_err(failed)?;
            complete(context).map_err(failed)?;
            let shared = context.shared();
            let file = BufWriter::new(File::create(&path).map_err(failed)?);
            let written = shared.overlay.write(file).map_err(failed)?;
            written.into_inner().map_err(|error| failed(error.into_error()))?;
            shared.archive = Some(path);
            Ok(())
        })
    }
}

/// Adds what is only known when all tests are: the environment, and which tests each stage runs.
pub(in crate::dispatch::actions) fn complete(context: &mut Context) -> std::io::Result<()> {
    let lava_dir = context.lava_dir();
    let (job, id) = (context.job.clone(), context.settings.job_id.clone());
    let shared = context.shared();
    let environment = environment(&job, &id, &shared.environment);
    shared.overlay.add(format!("{lava_dir}/environment"), false, environment)?;
    let mut stages: BTreeMap<usize, String> = BTreeMap::new();
    for test in &shared.tests {
        let folder = test.folder(&lava_dir);
        stages.entry(test.stage).or_default().push_str(&format!("{folder}\n"));
    }
    for (stage, conf) in stages {
        shared.overlay.add(format!("{lava_dir}/{stage}/lava-test-runner.conf"), false, conf)?;
    }
    Ok(())
}
