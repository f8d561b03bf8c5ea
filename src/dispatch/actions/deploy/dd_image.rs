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
            let wait = context.wait();
            let session = context.session()?;
            session.forget();
            let dialogue = async {
                session.send_line(&line, delay).await?;
                let found = session.expect(&patterns, &wait).await?;
                if found.index < FAILED.len() {
                    let seen = session.last_line();
                    return Err(Error::Infrastructure(format!("the board says {seen:?}")));
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
    use super::*;
    use crate::dispatch::job::Tool;

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
