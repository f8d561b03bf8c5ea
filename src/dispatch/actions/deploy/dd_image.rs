//! `dd-image`: the board's running system fetches an image and writes it to a medium.

use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::expect::Patterns;
use crate::dispatch::job::Deploy;
use crate::dispatch::serve::Served;
use crate::dispatch::validate::Checks;

/// What `dd` says when it is done.
const WRITTEN: &str = r"[0-9]+\+[0-9]+ records out";
/// What is written is on the medium, and not only in the board's memory, when the prompt is back.
const SYNC: &str = "; sync";
/// So many lines of the board's are told when it has failed.
const TOLD: usize = 3;
/// What a shell or a tool says when it is not.
const FAILED: [&str; 4] =
    ["not found", "No such file or directory", "No space left on device", "ERROR [0-9]+"];

#[derive(Debug)]
pub(super) struct DdImage {
    pub deploy: Deploy,
}

impl Action for DdImage {
    fn name(&self) -> &'static str {
        "dd-image"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let media = checks.device.media.clone();
            let (to, file) = (&self.deploy.to, checks.device.file.clone());
            match &self.deploy.device {
                None => checks.fault("the block has no \"device\": the name of a medium"),
                Some(name) if !media.contains_key(&(to.clone(), name.clone())) => {
                    let known = media.keys().filter(|(kind, _)| kind == to);
                    let known: Vec<&str> = known.map(|(_, name)| name.as_str()).collect();
                    let known = known.join(", ");
                    let key = format!("parameters: media: {to}");
                    checks.fault(format!(
                        "the device ({file}) has no \"{key}: {name}\"; it has {known}"
                    ));
                }
                Some(_) => {}
            }
            match &self.deploy.download {
                None => checks.fault("the block has no \"download\": what fetches the image"),
                Some(tool) => {
                    if let Some(prompt) = &tool.prompt {
                        checks.pattern("\"download: prompt\"", prompt);
                    }
                }
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let missing = || Error::Bug("the image was not downloaded".into());
            let image = context.shared().files.get("image").cloned().ok_or_else(missing)?;
            let key = (self.deploy.to.clone(), self.deploy.device.clone().unwrap_or_default());
            let unknown = || Error::Configuration(format!("there is no medium {:?}", key.1));
            let medium = context.device.media.get(&key).cloned().ok_or_else(unknown)?;
            let host = context.settings.dispatcher_ip.clone();
            let served = Served::new(&image, &host).await.map_err(|error| {
                Error::Infrastructure(format!("the image cannot be served: {error}"))
            })?;
            let line = line(&self.deploy, &served.url(&host), &medium);
            let writer = self.deploy.writer.as_ref().and_then(|tool| tool.prompt.clone());
            let written = writer.unwrap_or_else(|| WRITTEN.to_owned());
            let patterns = FAILED.into_iter().chain([written.as_str()]);
            let patterns = Patterns::new(patterns).map_err(Error::Configuration)?;
            let delay = Duration::from_millis(context.device.boot_character_delay);
            let prompts = context.shared().prompts.clone();
            let prompts = Patterns::new(prompts).map_err(Error::Configuration)?;
            let wait = context.wait();
            let session = context.session()?;
            session.forget();
            let dialogue = async {
                session.send_line(&format!("{line}{SYNC}"), delay).await?;
                let found = session.expect(&patterns, &wait).await?;
                if found.index < FAILED.len() {
                    let seen = session.last_line();
                    return Err(Error::Infrastructure(format!("the board says {seen:?}")));
                }
                if !prompts.is_empty() {
                    session.expect(&prompts, &wait).await?;
                }
                // What `dd` has written is what it was given, whether that was all or not.
                if self.deploy.writer.is_none() && !served.is_taken() {
                    let said: Vec<&str> = found.before.lines().rev().take(TOLD).collect();
                    return Err(Error::Infrastructure(format!(
                        "the board has not fetched all of the image, so what it has written is not whole; \
                         its last lines: {:?}",
                        said.into_iter().rev().collect::<Vec<_>>()
                    )));
                }
                Ok(())
            };
            tokio::select! {
                done = dialogue => done,
                () = served.serve() => Err(Error::Bug("the image is not served any more".into())),
            }
        })
    }
}

/// What the board is to do: fetch, and write what comes.
fn line(deploy: &Deploy, url: &str, medium: &str) -> String {
    let device = format!("/dev/disk/by-id/{medium}");
    let fetch = deploy.download.clone().unwrap_or_default();
    let fetch = format!("{} {}", fetch.tool, fetch.options.replace("{DOWNLOAD_URL}", url));
    match &deploy.writer {
        None => format!("{fetch} | dd of={device} bs=4M"),
        Some(writer) if writer.options.contains("{DOWNLOAD_URL}") => {
            let options = writer.options.replace("{DOWNLOAD_URL}", url);
            format!("{} {}", writer.tool, options.replace("{DEVICE}", &device))
        }
        Some(writer) => {
            format!("{fetch} | {} {}", writer.tool, writer.options.replace("{DEVICE}", &device))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use tokio::time::Instant;

    use super::*;
    use crate::config::{At, Problems};
    use crate::dispatch::connection::Script;
    use crate::dispatch::context::Settings;
    use crate::dispatch::device::Device;
    use crate::dispatch::job::{Job, Tool};
    use crate::dispatch::log::Log;
    use crate::dispatch::progress::Silent;
    use crate::dispatch::session::Session;
    use crate::image::{Fetch, Wanted};

    const JOB: &str =
        "{job_name: x, visibility: public, timeouts: {job: {minutes: 5}}, actions: []}";

    /// Writes an image, to a board that fetches it or does not.
    async fn write(fetches: bool) -> Result<(), Error> {
        let dir = tempfile::tempdir().unwrap();
        let problems = Problems::default();
        let at = At::top("job.yaml", &problems);
        let job = crate::yaml::parse(JOB, &at).and_then(|node| Job::read(&node, &at)).unwrap();
        let medium = (("usb".to_owned(), "stick".to_owned()), "usb-0".to_owned());
        let device = Device { media: BTreeMap::from([medium]), ..Device::default() };
        let settings = Settings { dispatcher_ip: "127.0.0.1".into(), ..Settings::default() };
        let log = Log::create(&dir.path().join("log"), &[], Arc::new(Silent)).unwrap();
        let (job, device, settings) = (Arc::new(job), Arc::new(device), Arc::new(settings));
        let mut context = Context::new(job, device, settings, log.clone(), Arc::new(Silent));
        context.now.deadline = Instant::now() + Duration::from_secs(60);
        let image = dir.path().join("image");
        std::fs::write(&image, vec![1; 300_000]).unwrap();
        context.shared().files.insert("image".into(), image);
        context.shared().prompts = vec!["board# ".into()];
        let (script, mut board) = Script::new();
        context.connect(Session::new(Box::new(script), log));
        let tool =
            Tool { tool: "wget".into(), prompt: None, options: "-O - {DOWNLOAD_URL}".into() };
        let deploy = Deploy {
            to: "usb".into(),
            device: Some("stick".into()),
            download: Some(tool),
            ..Deploy::default()
        };
        let action = DdImage { deploy };
        let plays = async {
            let line = board.line().await.unwrap();
            assert!(line.ends_with("bs=4M; sync"), "{line}");
            let url = line.split(' ').find(|word| word.starts_with("http:")).unwrap();
            if fetches {
                let to = dir.path().join("got");
                let wanted = Wanted { url, headers: &BTreeMap::new(), digest: None, to: &to };
                Fetch::default().get(&wanted, &|_, _| ()).await.unwrap();
            } else {
                board.say("wget: can't connect to remote host: Connection refused\r\n").await;
            }
            board.say("0+1 records in\r\n0+1 records out\r\nboard# ").await;
            // It stays until it is let go.
            board.line().await
        };
        tokio::select! {
            done = action.run(&mut context) => done,
            _ = plays => unreachable!("nothing more is typed"),
        }
    }

    #[tokio::test]
    async fn an_image_counts_as_written_only_when_it_was_fetched() {
        assert_eq!(write(true).await, Ok(()));
        let error = write(false).await.unwrap_err().to_string();
        assert!(error.contains("has not fetched all") && error.contains("refused"), "{error}");
    }

    #[test]
    fn what_fetches_the_image_gives_it_to_what_writes_it() {
        let wget = Tool {
            tool: "/usr/bin/wget".into(),
            prompt: None,
            options: "--no-proxy -O - {DOWNLOAD_URL}".into(),
        };
        let mut deploy = Deploy { download: Some(wget), ..Deploy::default() };
        assert_eq!(
            line(&deploy, "http://h/i", "usb-SanDisk-0:0"),
            "/usr/bin/wget --no-proxy -O - http://h/i | dd of=/dev/disk/by-id/usb-SanDisk-0:0 bs=4M"
        );
        let options = "copy {DOWNLOAD_URL} {DEVICE}".into();
        deploy.writer = Some(Tool { tool: "bmaptool".into(), prompt: None, options });
        assert_eq!(
            line(&deploy, "http://h/i", "usb-0"),
            "bmaptool copy http://h/i /dev/disk/by-id/usb-0"
        );
    }
}
