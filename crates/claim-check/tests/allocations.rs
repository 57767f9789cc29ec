//! Proves that a warm decision allocates nothing: neither binding a payload nor running the code.
#![expect(unsafe_code, reason = "an allocator of one's own is unsafe to write")]
#![allow(clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use stampmill_claim_check::{Buffers, ClaimCheck, Context};

/// The system's allocator, counting the calls of this thread.
struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: everything is the system allocator's; counting allocates nothing, since the counter is a constant-initialized `Cell`.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`; the pointer came from `alloc` above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller keeps the contract of `realloc`; the pointer came from `alloc` above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

fn allocations(work: impl FnOnce()) -> usize {
    let before = COUNT.get();
    work();
    COUNT.get() - before
}

const CONTEXT: Context = Context { now: 1_700_000_000 };

const PAYLOAD: &str = r#"{"iss":"https://issuer.example","sub":"auth0:248289761001","aud":["https://api.example","b"],"exp":1700000300,"nbf":1699999990,"iat":1699999990,"auth_time":1699999990,"amr":["pwd","otp"],"acr":"1","scope":"openid files.read files.write","realm_access":{"roles":["dev","ops"]},"resource_access":{"files":{"roles":["reader"]}},"email_verified":true,"email":"alice@example.com","preferred_username":"adm-alice","groups":["/staff/a/admins","/staff/team-1","/x"]}"#;

/// The eight rules of the benches, and optional claims.
const RULES: [&str; 10] = [
    r#"claims.iss == "https://issuer.example" && "https://api.example" in claims.aud && claims.exp > now && claims.nbf <= now"#,
    r#"claims.scope == "files.read" || claims.scope.startsWith("files.read ") || claims.scope.endsWith(" files.read") || claims.scope.contains(" files.read ")"#,
    r#"claims.sub.matches("^[a-z0-9]+:[0-9]{6,20}$")"#,
    r#""ops" in claims.realm_access.roles"#,
    r#""reader" in claims.resource_access.files.roles && claims.amr.exists(m, m in ["otp", "hwk", "mfa"]) && claims.auth_time > now - 900"#,
    r#"claims.email_verified && claims.email.endsWith("@example.com") && has(claims.preferred_username) && claims.preferred_username.startsWith("adm-")"#,
    r#"claims.groups.exists(g, g.startsWith("/staff/") && g.endsWith("/admins"))"#,
    r#"claims.groups.filter(g, g.contains("/team-")).size() >= 10 || claims.acr == "1" && claims.exp - claims.iat <= 3600"#,
    r#"claims.?acr.orValue("0") == "1" && claims.?tenant.orValue("none") == "none""#,
    r#"claims.realm_access.?roles.orValue(["none"]).exists(r, r == "ops")"#,
];

#[test]
fn a_warm_decision_allocates_nothing() {
    for rule in RULES {
        let check = ClaimCheck::compile(rule).unwrap();
        if check.engine() != "machine code" {
            return;
        }
        let decide = || {
            assert_eq!(
                check.decide(PAYLOAD.as_bytes(), &CONTEXT),
                Ok(true),
                "{rule}"
            )
        };
        decide();
        decide();
        assert_eq!(allocations(decide), 0, "{rule}");

        let mut buffers = Buffers::default();
        check.bind(PAYLOAD.as_bytes(), &mut buffers).unwrap();
        let again = allocations(|| {
            let claims = check.bind(PAYLOAD.as_bytes(), &mut buffers).unwrap();
            assert_eq!(check.decide_on(&claims, &CONTEXT), Ok(true));
        });
        assert_eq!(again, 0, "{rule}");
    }
}

/// The counter counts: a string that the expression builds is an allocation.
#[test]
fn what_is_built_is_counted() {
    let check = ClaimCheck::compile("claims.acr + 'x' == '1x'").unwrap();
    let decide = || assert_eq!(check.decide(PAYLOAD.as_bytes(), &CONTEXT), Ok(true));
    decide();
    assert!(allocations(decide) > 0);
}
