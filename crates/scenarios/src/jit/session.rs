//! `jit_repl`: expressions that are compiled as they are typed.

use stampmill_claim_check::Repl;

use crate::stage::Stage;

/// What someone might type; the replies are those of this run.
const LINES: &[(&str, &str)] = &[
    (
        r#":claims {"sub":"alice","exp":1700000060,"roles":["dev","ops"],"email":"alice@example.com"}"#,
        "",
    ),
    (":now 1700000000", ""),
    ("claims.exp - now", "60 : int\n"),
    ("left = claims.exp - now", "left = 60 : int\n"),
    (
        "may = left > 30 && 'ops' in claims.roles",
        "may = true : bool\n",
    ),
    (
        "may ? claims.roles.map(r, r + '!') : []",
        "[\"dev!\", \"ops!\"] : list\n",
    ),
    ("claims.?department.orValue('none')", "\"none\" : string\n"),
    (":type claims.?email", "optional_type(string)\n"),
];

/// `jit_repl`: a session, with what it says of mistakes.
pub(crate) fn repl(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let mut session = Repl::new();
    session.timing(false);
    stage.note(
        "Each line is parsed, checked and compiled to machine code, then run. A definition becomes a variable of the lines \
         that follow: its value is bound to it, nothing is compiled twice.",
    );
    stage.heading("A session");
    for (line, expected) in LINES {
        let reply = session.line(line);
        let shown = |text: &str| match text.trim_end() {
            "" => "(noted)".to_owned(),
            text => text.to_owned(),
        };
        stage.check(line, shown(expected), shown(&reply.text));
    }

    stage.heading("Mistakes are told before anything runs");
    for line in [
        "claims.sub + 1",
        "claims.exp = now",
        "clams.sub == 'alice'",
        "claims.roles.exist(r, r == 'ops')",
    ] {
        let reply = session.line(line);
        stage.listing(format_args!("cel> {line}"), reply.text);
    }

    stage.heading("Or, of a claim that is not there, when it runs");
    for line in [
        "claims.department == 'eng'",
        ":explain claims.exp > now && claims.department == 'eng'",
    ] {
        let reply = session.line(line);
        stage.listing(format_args!("cel> {line}"), reply.text);
    }

    stage.heading("What the line becomes");
    for line in [":types left > 30", ":asm left > 30"] {
        let reply = session.line(line);
        stage.listing(format_args!("cel> {line}"), reply.text);
    }

    stage.heading("What it takes");
    session.timing(true);
    let line = "left > 30 && 'ops' in claims.roles";
    let reply = session.line(line);
    stage.listing(format_args!("cel> {line}"), reply.text);
    stage.note(
        "The evaluation includes reading the claims from their bytes. stampmill check repl is this session at your keyboard.",
    );
    Ok(())
}
