//! `lava user` and `lava group`: who is let in by a server, and what they may.

use clap::{Args, Subcommand};
use serde_json::json;

use super::Context;
use super::board::{ServerArg, tell};
use crate::model::{
    Failure, Kind, Name, NewToken, Pattern, Right, Rights, TokenRequest, UserChange,
    UserDescription,
};

/// The users of a lava-server: who they are, what they may, and their tokens.
#[derive(Debug, Args)]
pub(super) struct UserArgs {
    #[command(subcommand)]
    verb: UserVerb,
}

#[derive(Debug, Subcommand)]
enum UserVerb {
    Add(AddArgs),
    /// Lists the users, their rights and their tokens.
    List(ListArgs),
    /// Lets users in no more.
    Remove(RemoveUsersArgs),
    Token(TokenArgs),
    /// Ends a token: lava user list has its id.
    Untoken(UntokenArgs),
}

/// Groups of users, who have the group's rights beside their own.
#[derive(Debug, Args)]
pub(super) struct GroupArgs {
    #[command(subcommand)]
    verb: GroupVerb,
}

#[derive(Debug, Subcommand)]
enum GroupVerb {
    /// Adds a group, or says anew what its users may.
    Set(GroupSetArgs),
    /// Lists the groups.
    List(ListArgs),
    /// Forgets groups that nobody is of.
    Remove(RemoveArgs),
}

/// Adds a user, and prints a token; or says anew what a user may, who keeps their tokens.
///
/// From the first user on everybody has to log in, but on the server's own Unix socket; so the first one is to have
/// control of everything: lava user add root --control '*'.
#[derive(Debug, Args)]
struct AddArgs {
    name: Name,
    /// A group whose rights they have, too.
    #[arg(long, value_name = "GROUP")]
    group: Vec<Name>,
    #[command(flatten)]
    rights: RightsArgs,
    #[command(flatten)]
    server: ServerArg,
}

#[derive(Debug, Args)]
struct GroupSetArgs {
    name: Name,
    #[command(flatten)]
    rights: RightsArgs,
    #[command(flatten)]
    server: ServerArg,
}

/// Makes one more token for a user, and prints it. It is shown only now.
#[derive(Debug, Args)]
struct TokenArgs {
    user: Name,
    /// The most that can be done with it, of what the user may: see, spy, write or control.
    #[arg(long, value_name = "RIGHT", value_parser = right)]
    scope: Option<Right>,
    /// It is to be the token of the worker of this name (lava-dispatcher worker), and for nothing else.
    #[arg(long, value_name = "NAME", conflicts_with = "scope")]
    worker: Option<Name>,
    /// How long it lets in, as 90d; for ever when left out.
    #[arg(long = "for", value_name = "TIME")]
    length: Option<String>,
    /// What it is for.
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
    #[command(flatten)]
    server: ServerArg,
}

#[derive(Debug, Args)]
struct UntokenArgs {
    user: Name,
    id: String,
    #[command(flatten)]
    server: ServerArg,
}

#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    server: ServerArg,
}

#[derive(Debug, Args)]
struct RemoveArgs {
    #[arg(required = true)]
    names: Vec<Name>,
    #[command(flatten)]
    server: ServerArg,
}

#[derive(Debug, Args)]
struct RemoveUsersArgs {
    /// Also the last one: nobody has to log in any more.
    #[arg(long)]
    open: bool,
    #[command(flatten)]
    users: RemoveArgs,
}

#[derive(Debug, Args)]
struct RightsArgs {
    /// Boards to know of: names, patterns such as 'panda*', or types, as type=panda.
    #[arg(long, value_name = "PATTERN")]
    see: Vec<Pattern>,
    /// Boards to read.
    #[arg(long, value_name = "PATTERN")]
    spy: Vec<Pattern>,
    /// Boards to have.
    #[arg(long, value_name = "PATTERN")]
    write: Vec<Pattern>,
    /// Boards to do everything with, also what others have; of '*' the lab.
    #[arg(long, value_name = "PATTERN")]
    control: Vec<Pattern>,
}

impl RightsArgs {
    fn rights(self) -> Rights {
        let mut rights = Rights::default();
        let all = [self.see, self.spy, self.write, self.control];
        for (right, patterns) in Right::ALL.into_iter().zip(all) {
            patterns.into_iter().for_each(|pattern| rights.grant(pattern, right));
        }
        rights
    }
}

pub(super) async fn user(args: UserArgs, ctx: &Context) -> Result<(), Failure> {
    match args.verb {
        UserVerb::Add(args) => add(args, ctx).await,
        UserVerb::List(args) => list(args, ctx).await,
        UserVerb::Remove(RemoveUsersArgs { open, users: args }) => {
            let server = args.server.locate()?;
            for name in &args.names {
                server.remove_user(name, open).await?;
                let done = json!({"user": name, "done": true});
                tell(ctx, args.server.json, &done, &format!("{name} is let in no more\n")).await?;
            }
            Ok(())
        }
        UserVerb::Token(args) => {
            let TokenArgs { user, scope, worker, length, note, server } = args;
            let asked = TokenRequest { scope, worker, length, note };
            token(&server, &user, &asked, ctx).await
        }
        UserVerb::Untoken(args) => {
            args.server.locate()?.remove_token(&args.user, &args.id).await?;
            let done = json!({"user": args.user, "token": args.id, "done": true});
            let text = format!("token {} lets in no more\n", args.id);
            tell(ctx, args.server.json, &done, &text).await
        }
    }
}

pub(super) async fn group(args: GroupArgs, ctx: &Context) -> Result<(), Failure> {
    match args.verb {
        GroupVerb::Set(args) => {
            args.server.locate()?.put_group(&args.name, &args.rights.rights()).await?;
            let done = json!({"group": args.name, "done": true});
            let text = format!("who is of {} may this from now on\n", args.name);
            tell(ctx, args.server.json, &done, &text).await
        }
        GroupVerb::List(args) => {
            let groups = args.server.locate()?.groups().await?;
            if args.server.json {
                return ctx.print_json(&groups).await;
            }
            let line = |group: &crate::model::GroupInfo| {
                format!("{:16}  {}\n", group.name, words(&group.rights))
            };
            ctx.print(groups.iter().map(line).collect::<String>().as_bytes()).await
        }
        GroupVerb::Remove(args) => {
            let server = args.server.locate()?;
            for name in &args.names {
                server.remove_group(name).await?;
                let done = json!({"group": name, "done": true});
                tell(ctx, args.server.json, &done, &format!("{name} is no group any more\n"))
                    .await?;
            }
            Ok(())
        }
    }
}

async fn add(args: AddArgs, ctx: &Context) -> Result<(), Failure> {
    let AddArgs { name, group, rights, server: at } = args;
    let server = at.locate()?;
    let rights = rights.rights();
    if group.is_empty() && rights.is_empty() {
        let what = format!("what may {name}? say --write 'panda*', or --group GROUP");
        return Err(Failure::new(Kind::User, what));
    }
    let UserChange { token, announcing } =
        server.put_user(&name, &UserDescription { groups: group, rights }).await?;
    match token {
        None => {
            let done = json!({"user": name, "done": true});
            tell(ctx, at.json, &done, &format!("{name} may this from now on\n")).await
        }
        Some(token) => {
            told(&at, &token, ctx).await?;
            if !announcing.is_empty() {
                let (count, all) = (announcing.len(), announcing.join(", "));
                ctx.note(&format!(
                    "everybody has to log in now, also the daemons that announce themselves ({count}: \
                     {all}): each by TCP needs a token with control of everything, [server] token_file"
                ))
                .await;
            }
            Ok(())
        }
    }
}

async fn token(
    at: &ServerArg,
    user: &Name,
    asked: &TokenRequest,
    ctx: &Context,
) -> Result<(), Failure> {
    let token = at.locate()?.new_token(user, asked).await?;
    told(at, &token, ctx).await
}

async fn told(at: &ServerArg, token: &NewToken, ctx: &Context) -> Result<(), Failure> {
    if at.json {
        return ctx.print_json(token).await;
    }
    ctx.print(format!("{}\n", token.token).as_bytes()).await?;
    ctx.note("it is shown only now; its owner puts it into ~/.config/lava/token or $LAVA_TOKEN")
        .await;
    Ok(())
}

async fn list(args: ListArgs, ctx: &Context) -> Result<(), Failure> {
    let users = args.server.locate()?.users().await?;
    if args.server.json {
        return ctx.print_json(&users).await;
    }
    let mut text = String::new();
    for user in &users {
        let groups: Vec<_> = user.user.groups.iter().map(Name::as_str).collect();
        let (rights, groups) = (words(&user.user.rights), groups.join(" "));
        text.push_str(format!("{:16}  {rights}  {groups}", user.name).trim_end());
        text.push('\n');
        for token in &user.tokens {
            let until = token.until_us.map(crate::model::units::time_text);
            let until = until.map_or_else(String::new, |until| format!(" until {until}"));
            let scope = match &token.worker {
                Some(worker) => format!("worker {worker}"),
                None => token.scope.to_string(),
            };
            let line = format!("    {}  {scope}{until}  {}", token.id, token.note);
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    ctx.print(text.as_bytes()).await
}

fn words(rights: &Rights) -> String {
    let each = rights.each().map(|(pattern, right)| format!("{right} {pattern}"));
    each.collect::<Vec<_>>().join(", ")
}

fn right(text: &str) -> Result<Right, String> {
    let found = Right::ALL.into_iter().find(|right| right.as_str() == text);
    found.ok_or_else(|| "write see, spy, write or control".to_owned())
}
