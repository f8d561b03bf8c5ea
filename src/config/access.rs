//! Who may do what: `[[token]]`, `[[certificate]]` and `[local]`.

use super::{FromNode as _, HttpListen, Node, Table, Value, credential};
use crate::model::{JobKey, JobPass, Name, Pattern, Right, Rights, TokenHash};

/// Who may do what by HTTP.
///
/// Without any of it nobody has to log in, and everybody may do everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessConfig {
    pub tokens: Vec<TokenUser>,
    /// Those of a lava-server's scripts that run now. They let in also where nobody has to log in.
    pub runs: Vec<TokenUser>,
    /// By whose names jobs are let in with passes that were made with these keys.
    pub job_keys: Vec<(Name, JobKey)>,
    /// Of some of these, by their tokens, what who began them can do now: it is the most that they can.
    pub limits: Vec<(TokenHash, Rights)>,
    pub certificates: Vec<CertificateUser>,
    /// What other users of this host may do on the Unix socket, without a token; its own user and root may
    /// do everything. `None` is: nothing, once there are tokens. Where it is said, nobody comes by TCP
    /// without a login either.
    pub local: Option<Rights>,
    /// The names under which browsers find us: [`HttpListen::names`].
    pub names: Vec<Name>,
}

/// `[[token]]`. Several of a user may have a name in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenUser {
    /// What others see and the record says.
    pub name: Name,
    pub hash: TokenHash,
    pub rights: Rights,
    /// Whether they may ask on behalf of others, who may what both may.
    pub speaks_for_others: bool,
    /// It is the token of the worker of this name at a lava-server, and lets do what that one does, nothing else.
    pub worker: Option<Name>,
    /// It is the token of a run of this number.
    pub job: Option<u64>,
}

/// `[[certificate]]`: who shows a client certificate of this name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateUser {
    pub name: Name,
    pub rights: Rights,
    /// As of a token.
    pub speaks_for_others: bool,
    /// It is the certificate of the worker of this name at a lava-server, and for nothing else.
    pub worker: Option<Name>,
}

impl AccessConfig {
    /// Who has the token of this hash.
    pub fn token(&self, hash: &TokenHash) -> Option<&TokenUser> {
        self.tokens.iter().chain(&self.runs).find(|user| user.hash == *hash)
    }

    /// What a text says that lets a job in, and who has made it.
    pub fn job_pass(&self, text: &str) -> Option<(&Name, JobPass)> {
        self.job_keys.iter().find_map(|(name, key)| Some((name, key.read(text)?)))
    }

    /// What a token can do at most, whatever its rights are.
    pub fn limit(&self, hash: &TokenHash) -> Option<&Rights> {
        self.limits.iter().find(|(limited, _)| limited == hash).map(|(_, rights)| rights)
    }

    /// What all that lets somebody of this name in lets them do; `None` when nothing does.
    pub fn rights_of(&self, user: &str) -> Option<Rights> {
        let tokens = self.tokens.iter().filter(|it| it.worker.is_none());
        let tokens = tokens.map(|it| (it.name.as_str(), &it.rights));
        let certificates = self.certificates.iter().map(|it| (it.name.as_str(), &it.rights));
        // Which users this host has is not asked: any of them may be meant.
        let local = self.local.iter().filter(|rights| !rights.is_empty());
        let theirs = tokens.chain(certificates).chain(local.map(|rights| (user, rights)));
        let theirs = theirs.filter(|(name, _)| *name == user).map(|(_, rights)| rights.clone());
        theirs.reduce(|all, more| all.and(&more))
    }

    /// Whether nobody has to log in.
    pub fn is_open(&self) -> bool {
        self.tokens.is_empty() && self.certificates.is_empty() && self.local.is_none()
    }

    /// Notes certificates that nobody can show.
    pub(super) fn check(top: &Table<'_>, http: Option<&HttpListen>) {
        let tls = http.and_then(|http| http.tls.as_ref());
        if tls.is_some_and(|tls| tls.client_ca.is_some()) {
            return;
        }
        for table in top.tables("certificate") {
            let what = "nobody can show a certificate: [http] has no client_ca";
            table.at().problem(table.place(), what);
        }
    }

    /// Reads what the top of a file says of it, beside what other files have said.
    pub fn read(&mut self, top: &Table<'_>) {
        for table in top.tables("token") {
            let name: Option<Name> = table.required("name");
            let hash = table.parsed("hash", str::parse::<TokenHash>);
            if table.node("hash").is_none() {
                table.required::<String>("hash");
            }
            let rights = rights(&table);
            let speaks_for_others = table.optional("speaks_for_others").unwrap_or(false);
            let worker = table.optional("worker");
            self.job_keys.extend(name.clone().zip(job_key(&table)));
            let user = name.zip(hash);
            if worker.is_some() && !rights.is_empty() {
                table.problem("worker", "a worker's token has no other rights");
            }
            if let Some((_, hash)) = &user
                && let Some(other) = self.tokens.iter().find(|token| token.hash == *hash)
            {
                table.problem("hash", format!("this is the token of {} already", other.name));
            }
            table.finish();
            let user = user.map(|(name, hash)| {
                let name = worker.clone().unwrap_or(name);
                TokenUser { name, hash, rights, speaks_for_others, worker, job: None }
            });
            self.tokens.extend(user);
        }
        for table in top.tables("certificate") {
            let name: Option<Name> = table.required("name");
            let rights = rights(&table);
            let speaks_for_others = table.optional("speaks_for_others").unwrap_or(false);
            let worker = table.optional("worker");
            if worker.is_some() && !rights.is_empty() {
                table.problem("worker", "a worker's certificate has no other rights");
            }
            if self.certificates.iter().any(|user| Some(&user.name) == name.as_ref()) {
                table.problem("name", "there is a certificate of this name already");
            }
            table.finish();
            let user = name.map(|name| CertificateUser { name, rights, speaks_for_others, worker });
            self.certificates.extend(user);
        }
        if let Some(table) = top.table("local") {
            if self.local.is_some() {
                table.at().problem(table.place(), "another file has a [local] table too");
            }
            self.local = Some(rights(&table));
            table.finish();
        }
    }
}

/// `job_key_file`: the key with which the token's owner, a server, makes the passes of its jobs.
fn job_key(table: &Table<'_>) -> Option<JobKey> {
    let file = credential::file(table, "job_key_file")?;
    let read = std::fs::read_to_string(&file).map_err(|error| error.to_string());
    match read.and_then(|secret| JobKey::of(&secret)) {
        Ok(key) => Some(key),
        Err(error) => {
            table.problem("job_key_file", format!("{}: {error}", file.display()));
            None
        }
    }
}

/// The keys `see`, `spy`, `write` and `control`, each a pattern or a list of patterns.
pub(super) fn rights(table: &Table<'_>) -> Rights {
    let mut rights = Rights::default();
    for right in Right::ALL {
        let key = right.as_str();
        let Some(node) = table.node(key) else { continue };
        let at = table.at().key(key);
        let one = [node.clone()];
        let (nodes, listed): (&[Node], bool) = match &node.value {
            Value::List(nodes) => (nodes, true),
            _ => (&one, false),
        };
        for (index, node) in nodes.iter().enumerate() {
            let at = if listed { at.index(index) } else { at.clone() };
            let Some(text) = String::from_node(node, &at) else { continue };
            match text.parse::<Pattern>() {
                Ok(pattern) => rights.grant(pattern, right),
                Err(error) => at.problem(node.place, error.to_string()),
            }
        }
    }
    rights
}

#[cfg(test)]
mod tests {
    use super::super::{At, Problems, toml};
    use super::*;

    fn read(text: &str) -> Result<AccessConfig, String> {
        let problems = Problems::default();
        let at = At::top("a.toml", &problems);
        let mut access = AccessConfig::default();
        let node = toml::parse(text, &at);
        if let Some(top) = node.as_ref().and_then(|node| Table::new(node, at)) {
            access.read(&top);
            top.finish();
        }
        problems.check(Some(access)).map_err(|failure| failure.message)
    }

    #[test]
    fn rights_are_read_by_name_and_pattern() {
        let hash = TokenHash::of("secret").unwrap();
        let access = read(&format!(
            "[[token]]\nname = \"alice\"\nhash = \"{hash}\"\nsee = \"*\"\nwrite = [\"panda*\", \"b1\"]\n\
             [[certificate]]\nname = \"ci.example\"\ncontrol = \"*\"\n[local]\nspy = \"*\"\n"
        ))
        .unwrap();
        assert!(!access.is_open());
        let alice = &access.tokens[0];
        assert_eq!((alice.name.as_str(), alice.hash), ("alice", hash));
        assert_eq!(alice.rights.on("panda07"), Some(Right::Write));
        assert_eq!(alice.rights.on("b2"), Some(Right::See));
        assert_eq!(access.certificates[0].rights.on_all(), Some(Right::Control));
        assert_eq!(access.local.unwrap().on("x"), Some(Right::Spy));
    }

    #[test]
    fn everything_wrong_is_told_with_its_place() {
        let hash = TokenHash::of("secret").unwrap();
        let told = read(&format!(
            "[[token]]\nname = \"alice\"\nhash = \"secret\"\nrwite = \"*\"\n\
             [[token]]\nname = \"bob\"\nhash = \"{hash}\"\nwrite = [\"a/b\", 7]\n\
             [[token]]\nname = \"eve\"\nhash = \"{hash}\"\n[[token]]\nname = \"x\"\n\
             [[certificate]]\nname = \"c\"\n[[certificate]]\nname = \"c\"\n"
        ))
        .unwrap_err();
        for expected in [
            "a.toml:3:8: token[0].hash: it is written sha256: and 64 hexadecimal digits",
            "a.toml:4:1: token[0]: unknown key \"rwite\"; did you mean \"write\"?",
            "a.toml:8:10: token[1].write[0]: a pattern consists of",
            "a.toml:8:17: token[1].write[1]: expected a text",
            "a.toml:11:8: token[2].hash: this is the token of bob already",
            "a.toml:12:1: token[3]: \"hash\" is missing",
            "a.toml:17:8: certificate[1].name: there is a certificate of this name already",
        ] {
            assert!(told.contains(expected), "{told}\nhas no\n{expected}");
        }
        assert_eq!(told.lines().count(), 7, "{told}");
    }
}
