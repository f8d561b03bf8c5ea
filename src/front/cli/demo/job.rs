//! The sample job of the demo, on the demo's own first board.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use super::text::say;
use crate::daemon::demo::Lab;
use crate::dispatch::context::Settings;
use crate::dispatch::execute::{LOG, RESULTS, execute};
use crate::dispatch::load::load;
use crate::dispatch::results::LAVA;
use crate::dispatch::validate::validate;
use crate::front::cli::dispatcher::watcher;
use crate::image::cpio;
use crate::model::{Failure, Kind};

const VIRTUAL_JOB: &str = include_str!("../../../../conf/jobs/demo.yaml");
const VIRTUAL_DEVICE: &str = include_str!("../../../../conf/devices/demo.yaml");
const QEMU_JOB: &str = include_str!("../../../../conf/jobs/demo-qemu.yaml");
const QEMU_DEVICE: &str = include_str!("../../../../conf/devices/qemu-uboot.yaml");
/// What stands for the two files in the jobs.
const KERNEL_URL: &str = "file:///srv/lava/Image";
const RAMDISK_URL: &str = "file:///srv/lava/initrd.cpio";

/// The job's name on the board, on the console and in the TFTP folder.
const JOB_ID: &str = "demo";
/// This host as QEMU's own network has it. Virtual boards look in their folder whatever it is.
pub(super) const DISPATCHER_IP: &str = "10.0.2.2";

/// What is booted.
#[derive(Debug)]
pub(super) struct Images {
    pub(super) kernel: PathBuf,
    pub(super) ramdisk: PathBuf,
}

/// The sample job's two files, in the lab's own folder.
#[derive(Debug)]
pub(super) struct Files {
    folder: PathBuf,
    pub(super) job: PathBuf,
    pub(super) device: PathBuf,
}

/// Where a job's log and results go.
#[derive(Debug)]
pub(super) enum Output {
    Kept(PathBuf),
    /// The lab's own folder, which somebody may look into before the demo ends.
    UntilTheEnd,
    /// The same, and the demo ends at once.
    Nowhere,
}

/// Writes the files of the sample job. Without images a job on a board in QEMU is a pattern, whose
/// URLs are to be filled in.
///
/// # Errors
/// [`Kind::Infra`] when they cannot be written.
pub(super) fn write(lab: &Lab, images: Option<Images>) -> Result<Files, Failure> {
    let folder = lab.job_folder();
    let written = |error: io::Error| {
        Failure::new(Kind::Infra, format!("cannot write to {}: {error}", folder.display()))
    };
    fs::create_dir_all(&folder).map_err(written)?;
    let (job, device) = match lab.is_qemu() {
        true => (QEMU_JOB, QEMU_DEVICE),
        false => (VIRTUAL_JOB, VIRTUAL_DEVICE),
    };
    let job = match images {
        Some(images) => with_images(job, &images)?,
        None if lab.is_qemu() => job.to_owned(),
        None => with_images(job, &stand_ins(&folder).map_err(written)?)?,
    };
    let files = Files { job: folder.join("job.yaml"), device: folder.join("device.yaml"), folder };
    fs::write(&files.job, job)
        .and_then(|()| fs::write(&files.device, device))
        .map_err(|error| Failure::new(Kind::Infra, format!("cannot write the job: {error}")))?;
    Ok(files)
}

/// Runs the job and tells how it went.
///
/// # Errors
/// Why the job could not be run or is incomplete, or that test cases have failed.
pub(super) async fn run(
    lab: &Lab,
    files: &Files,
    output: Output,
    cancelled: &CancellationToken,
) -> Result<(), Failure> {
    let loaded = load(&files.job, &files.device)?;
    let folder = match &output {
        Output::Kept(folder) => folder,
        Output::UntilTheEnd | Output::Nowhere => &files.folder,
    };
    let settings = Settings {
        job_id: JOB_ID.to_owned(),
        output: folder.clone(),
        tftp_dir: lab.tftp(),
        dispatcher_ip: DISPATCHER_IP.to_owned(),
        lab: Some(lab.inventory()),
        ..Settings::default()
    };
    validate(&loaded.pipeline, &loaded.job, &loaded.device, &settings).await?;
    let outcome = execute(&loaded, settings, watcher(), cancelled).await?;
    let cases = outcome.results.iter().filter(|case| case.definition != LAVA).count();
    let how = if outcome.error.is_none() { "complete" } else { "incomplete" };
    say(&format!("\nThe job is {how}: {cases} test cases, {} failed.\n", outcome.failed));
    let folder = folder.display();
    say(&match output {
        Output::Kept(_) => format!("Its log and results: {LOG} and {RESULTS} in {folder}\n"),
        Output::UntilTheEnd => format!(
            "Its log and results are {LOG} and {RESULTS} in {folder}\nuntil the demo ends; \
             --output DIR keeps them.\n"
        ),
        Output::Nowhere => {
            "--output DIR keeps its log and results, and --stay keeps the demo.\n".to_owned()
        }
    });
    outcome.into_result()
}

/// A kernel and a ramdisk for a board that only looks as if it ran them.
fn stand_ins(folder: &Path) -> io::Result<Images> {
    let images = Images { kernel: folder.join("Image"), ramdisk: folder.join("initrd.cpio") };
    fs::write(&images.kernel, "Not a kernel: a virtual board only loads it.\n")?;
    let mut ramdisk = cpio::Writer::new(fs::File::create(&images.ramdisk)?);
    ramdisk.directory("etc")?;
    ramdisk.file("etc/lavamux-demo", false, b"From the ramdisk of the demo's job.\n")?;
    ramdisk.finish()?;
    Ok(images)
}

fn with_images(job: &str, images: &Images) -> Result<String, Failure> {
    let mut job = job.to_owned();
    for (placeholder, file) in [(KERNEL_URL, &images.kernel), (RAMDISK_URL, &images.ramdisk)] {
        let file = std::path::absolute(file);
        let file = file.map_err(|error| Failure::from_error(Kind::User, &error))?;
        // A JSON text is a YAML text.
        let url = serde_json::to_string(&format!("file://{}", file.display()));
        let url = url.map_err(|error| Failure::from_error(Kind::Bug, &error))?;
        job = job.replace(placeholder, &url);
    }
    Ok(job)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_jobs_fit_their_devices_whatever_the_files_are_called() {
        let folder = tempfile::tempdir().unwrap();
        for (job, device) in [(VIRTUAL_JOB, VIRTUAL_DEVICE), (QEMU_JOB, QEMU_DEVICE)] {
            let images = Images { kernel: "/a: b #c/Image".into(), ramdisk: "/r 'x\"".into() };
            let text = with_images(job, &images).unwrap();
            assert!(!text.contains("/srv/lava"), "{text}");
            let (job_file, device_file) = (folder.path().join("j"), folder.path().join("d"));
            fs::write(&job_file, text).unwrap();
            fs::write(&device_file, device).unwrap();
            let loaded = load(&job_file, &device_file).unwrap();
            let names: Vec<String> =
                loaded.pipeline.describe().into_iter().map(|step| step.name).collect();
            assert_eq!(names, ["tftp-deploy", "uboot-action", "lava-test-retry", "finalize"]);
        }
    }
}
