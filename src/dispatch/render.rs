//! Device dictionaries that are Jinja2 templates: rendered with the job's `context`.

use std::path::{Path, PathBuf};

use crate::config::{At, Node, Problem, Problems};
use crate::template;

/// Where the templates of device types are, after the folders that the caller names, the device's
/// own and `device-types` beside that: LAVA's places, then ours.
const FOLDERS: &[&str] = &[
    "/etc/lava-server/dispatcher-config/device-types",
    "/usr/share/lava-server/device-types",
    "/usr/share/lavamux/device-types",
];

/// Whether a device file is a template: `panda01.jinja2`.
pub fn is_template(device: &Path) -> bool {
    device.extension().is_some_and(|extension| extension == "jinja2" || extension == "j2")
}

/// A device dictionary: where it is from, and what it says.
#[derive(Debug)]
pub(super) struct Rendered {
    pub file: String,
    pub text: String,
    pub node: Node,
}

/// The device dictionary as YAML text. What the job's context says counts where the templates leave
/// it open.
///
/// # Errors
/// What is wrong with a template, with its file and place.
pub fn render(
    device: &Path,
    templates: &[PathBuf],
    context: Option<&Node>,
) -> Result<String, Problem> {
    let own = device.parent().unwrap_or(Path::new(""));
    let own = if own.as_os_str().is_empty() { Path::new(".") } else { own };
    template::render(device, &folders(own, templates), context)
}

/// Whether there is a template of this name for devices whose files are in the folder `own`.
pub fn has_template(name: &str, own: &Path, templates: &[PathBuf]) -> bool {
    folders(own, templates).iter().any(|folder| folder.join(name).is_file())
}

fn folders(own: &Path, templates: &[PathBuf]) -> Vec<PathBuf> {
    let mut folders = templates.to_vec();
    folders.extend([own.to_owned(), own.join("device-types"), own.join("../device-types")]);
    folders.extend(FOLDERS.iter().map(PathBuf::from));
    folders
}

/// Reads a device file into a tree: YAML, or a template that is rendered first. Places in what a
/// template gives are those of the rendered text, which the name in messages tells.
pub(super) fn read(
    device: &Path,
    templates: &[PathBuf],
    context: Option<&Node>,
    problems: &Problems,
) -> Option<Rendered> {
    let file = device.display().to_string();
    if !is_template(device) {
        let (text, node) = crate::yaml::read_with_text(device, problems)?;
        return Some(Rendered { file, text, node: node? });
    }
    match render(device, templates, context) {
        Ok(text) => {
            let file = format!("{file} (rendered)");
            let node = crate::yaml::parse(&text, &At::top(&file, problems))?;
            Some(Rendered { file, text, node })
        }
        Err(problem) => {
            problems.add(problem);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Value;
    use crate::dispatch::device::Device;

    fn conf(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("conf").join(name)
    }

    /// The tree as text, without places and in the order of its keys.
    fn shown(node: &Node) -> String {
        match &node.value {
            Value::Map(entries) => {
                let mut keys: Vec<String> = entries
                    .iter()
                    .map(|(key, node)| format!("{:?}: {}", key.name, shown(node)))
                    .collect();
                keys.sort();
                format!("{{{}}}", keys.join(", "))
            }
            Value::List(items) => format!("{:?}", items.iter().map(shown).collect::<Vec<_>>()),
            other => format!("{other:?}"),
        }
    }

    fn dictionary(name: &str, job: &str) -> String {
        let problems = Problems::default();
        let at = At::top("job.yaml", &problems);
        let job = crate::yaml::parse(job, &at).unwrap();
        let read = read(&conf(name), &[], job.get("context"), &problems);
        if let Some(Rendered { file, node, .. }) = &read {
            Device::read(node, &At::top(file, &problems));
        }
        let node = problems.check(read).unwrap().node;
        shown(&node)
    }

    #[test]
    fn the_example_board_is_the_one_that_is_written_out() {
        let written = dictionary("devices/qemu-uboot.yaml", "{}");
        assert_eq!(dictionary("devices/panda01.jinja2", "{}"), written);
        let job = "{context: {extra_kernel_args: debug}}";
        let args = "setenv bootargs 'console=ttyAMA0 debug'";
        assert!(dictionary("devices/panda01.jinja2", job).contains(args));
    }

    #[test]
    fn what_is_set_before_a_template_is_known_to_what_it_extends() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("vm01.jinja2");
        let own = "{% extends 'vm-x86.jinja2' %}\n{% set hostname = 'vm01' %}\n";
        std::fs::write(&file, format!("{{% set vm_ssh = \"farm1:2201\" %}}{own}")).unwrap();
        let text = render(&file, &[conf("device-types")], None).unwrap();
        assert!(text.contains("\n          ssh: \"farm1:2201\"\n"), "{text}");
        std::fs::write(&file, own).unwrap();
        assert!(!render(&file, &[conf("device-types")], None).unwrap().contains("  ssh: "));
    }

    #[test]
    fn the_job_says_which_machine_qemu_is() {
        let machine = |job: &str| dictionary("devices/qemu01.jinja2", job);
        let amd64 = machine("{}");
        assert!(amd64.contains("qemu-system-x86_64") && amd64.contains("\"ide\""), "{amd64}");
        let arm64 = machine("{context: {arch: arm64, memory: 2048, extra_options: ['-smp 2']}}");
        for part in ["qemu-system-aarch64", "-machine virt", "-cpu cortex-a57", "-m 2048", "-smp 2"]
        {
            assert!(arm64.contains(part), "no {part:?} in {arm64}");
        }
    }
}
