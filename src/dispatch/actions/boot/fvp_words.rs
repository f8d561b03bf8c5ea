//! The words that start a model in its container.

use crate::dispatch::job::{Container, Fvp};

/// What asks the model for its version.
pub(super) fn version_words(container: &Container, fvp: &Fvp) -> Vec<String> {
    let mut words = docker(container);
    words.extend([container.image.clone(), fvp.image.clone()]);
    words.extend(shlex::split(&fvp.version_args).unwrap_or_default());
    words
}

/// What starts the model, with the job's files in a folder of the same name.
pub(super) fn run_words(
    container: &Container,
    fvp: &Fvp,
    arguments: &[String],
    name: &str,
    folder: &str,
    options: &[String],
) -> Vec<String> {
    let mut words = docker(container);
    words.extend(["--interactive".to_owned(), "--tty".to_owned(), format!("--name={name}")]);
    words.push(format!("--volume={folder}:{folder}"));
    words.extend(options.iter().cloned());
    words.extend(fvp.license.iter().map(|license| match license.contains('=') {
        true => format!("--env={license}"),
        false => format!("--env=ARMLM_CACHED_LICENSES_LOCATION={license}"),
    }));
    words.extend([container.image.clone(), fvp.image.clone()]);
    // An argument of the job's may be an option and its value.
    words.extend(arguments.iter().flat_map(|line| shlex::split(line).unwrap_or_default()));
    words
}

fn docker(container: &Container) -> Vec<String> {
    let pull = if container.local { "--pull=never" } else { "--pull=missing" };
    ["docker", "run", "--rm", "--init", pull].map(ToOwned::to_owned).into()
}

/// The arguments with the files' paths for their names in capitals. An argument that asks for a
/// file which the job does not deploy stays as it is.
pub(super) fn named(arguments: &[String], files: &[(String, String)]) -> Vec<String> {
    let fill = |line: &String| {
        files.iter().fold(line.clone(), |line, (name, file)| {
            line.replace(&format!("{{{}}}", name.to_uppercase()), file)
        })
    };
    arguments.iter().map(fill).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_given_the_files_of_the_job_and_its_own_arguments() {
        let container =
            Container { image: "foundation:11.8".into(), local: true, ..Container::default() };
        let fvp = Fvp {
            image: "/opt/model/Foundation_Platform".into(),
            version_args: "--version".into(),
            ..Fvp::default()
        };
        assert_eq!(
            version_words(&container, &fvp).join(" "),
            "docker run --rm --init --pull=never foundation:11.8 \
             /opt/model/Foundation_Platform --version"
        );
        let files = [("bl1".to_owned(), "/s/bl1.bin".to_owned())];
        let arguments = ["--cores=4", "--data={BL1}@0x0", "-C board.fname='{BL1}'"];
        let arguments = named(&arguments.map(ToOwned::to_owned), &files);
        let words =
            run_words(&container, &fvp, &arguments, "lava-fvp-7", "/s", &["--cpus=2".into()]);
        assert_eq!(
            words.join(" "),
            "docker run --rm --init --pull=never --interactive --tty --name=lava-fvp-7 \
             --volume=/s:/s --cpus=2 foundation:11.8 /opt/model/Foundation_Platform --cores=4 \
             --data=/s/bl1.bin@0x0 -C board.fname=/s/bl1.bin"
        );
    }
}
