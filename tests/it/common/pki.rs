//! Certificates of a lab's own CA, made by openssl.

use super::lab::{TestLab, run};
use super::wait::LIMIT;

/// A CA and what it signs: `NAME.pem` and `NAME.key` in the lab's folder.
pub(crate) struct Pki<'a> {
    lab: &'a TestLab,
    name: &'a str,
}

impl<'a> Pki<'a> {
    /// Makes a CA. Its certificate is the file of its name.
    #[track_caller]
    pub(crate) fn new(lab: &'a TestLab, name: &'a str) -> Self {
        let pki = Self::of(lab, name);
        let subject = format!("/CN={name}");
        pki.openssl(&format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj {subject} \
             -keyout {name}.key -out {name}.pem"
        ));
        pki
    }

    /// A CA that was made before.
    pub(crate) fn of(lab: &'a TestLab, name: &'a str) -> Self {
        Self { lab, name }
    }

    /// A certificate for a daemon on this host.
    #[track_caller]
    pub(crate) fn server(&self, file: &str) {
        self.signed(file, "subjectAltName=DNS:localhost,IP:127.0.0.1");
    }

    /// A certificate for a client, whose subject's common name is `name`.
    #[track_caller]
    pub(crate) fn client(&self, name: &str) {
        self.signed(name, "extendedKeyUsage=clientAuth");
    }

    fn signed(&self, name: &str, extension: &str) {
        self.lab.write(&format!("{name}.ext"), extension);
        self.openssl(&format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /O=Lab/CN={name} \
             -keyout {name}.key -out {name}.csr"
        ));
        let ca = self.name;
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA {ca}.pem -CAkey {ca}.key -CAcreateserial -days 2 \
             -extfile {name}.ext -out {name}.pem"
        ));
    }

    fn openssl(&self, args: &str) {
        let said = run(self.lab.tool("openssl").args(args.split_whitespace()), "", LIMIT);
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    }
}
