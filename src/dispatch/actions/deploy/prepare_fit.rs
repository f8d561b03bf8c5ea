//! `prepare-fit`: kernel, device tree and ramdisk as one image, by U-Boot's `mkimage`.

use std::path::{Path, PathBuf};

use futures_util::future::BoxFuture;

use super::extract_ramdisk::RAMDISK;
use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::host;
use crate::dispatch::validate::Checks;

/// The image's place under the job's TFTP folder.
const IMAGE: &str = "image.itb";

#[derive(Debug)]
pub(super) struct PrepareFit;

impl Action for PrepareFit {
    fn name(&self) -> &'static str {
        "prepare-fit"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            checks.program("mkimage");
            if checks.device.mkimage_arch.is_none() {
                checks.lacks("actions: deploy: parameters: mkimage_arch");
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let folder = context.tftp_folder();
            let files = context.shared().files.clone();
            let missing = || Error::Bug("the kernel was not downloaded".into());
            let kernel = files.get("kernel").ok_or_else(missing)?;
            let ramdisk = files.get("ramdisk").map(|_| folder.join(RAMDISK));
            let device = &context.device;
            let fit = Fit {
                architecture: device.mkimage_arch.as_deref().unwrap_or("arm"),
                load_address: device.load_address.as_deref().unwrap_or("0"),
                kernel,
                dtb: files.get("dtb"),
                ramdisk: ramdisk.as_ref(),
            };
            let words = fit.words(&folder.join(IMAGE));
            host::run(&words, context).await?;
            let image = format!("{}/{IMAGE}", context.settings.job_id);
            context.shared().tftp.insert("fit".into(), image);
            Ok(())
        })
    }
}

/// What goes into the image.
#[derive(Debug)]
struct Fit<'a> {
    architecture: &'a str,
    load_address: &'a str,
    kernel: &'a Path,
    dtb: Option<&'a PathBuf>,
    ramdisk: Option<&'a PathBuf>,
}

impl Fit<'_> {
    fn words(&self, image: &Path) -> Vec<String> {
        let mut words: Vec<String> =
            ["mkimage", "-D", "-I dts -O dtb -p 2048", "-f", "auto"].map(ToOwned::to_owned).into();
        words.extend(["-A".to_owned(), self.architecture.to_owned()]);
        words.extend(["-O", "linux", "-T", "kernel", "-C", "none"].map(ToOwned::to_owned));
        let path = |path: &Path| path.display().to_string();
        words.extend(["-d".to_owned(), path(self.kernel)]);
        words.extend(["-a".to_owned(), self.load_address.to_owned()]);
        words.extend(self.dtb.iter().flat_map(|dtb| ["-b".to_owned(), path(dtb)]));
        words.extend(self.ramdisk.iter().flat_map(|file| ["-i".to_owned(), path(file)]));
        words.push(path(image));
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mkimage_is_given_the_parts_that_there_are() {
        let (kernel, ramdisk) = (Path::new("/s/zImage"), PathBuf::from("/t/ramdisk.cpio"));
        let fit = Fit {
            architecture: "arm",
            load_address: "0",
            kernel,
            dtb: None,
            ramdisk: Some(&ramdisk),
        };
        assert_eq!(
            fit.words(Path::new("/t/image.itb")).join(" "),
            "mkimage -D -I dts -O dtb -p 2048 -f auto -A arm -O linux -T kernel -C none \
             -d /s/zImage -a 0 -i /t/ramdisk.cpio /t/image.itb"
        );
    }
}
