//! What can be typed after `stampmill ca`. The doc comments here are the program's help.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use stampmill_local_ca::acme::{ChallengeKind, Network};
use stampmill_local_ca::{BaseUrl, KeyKind, Profile, Reason, RuleSet};

#[derive(Debug, Clone, Args)]
pub(crate) struct AuthorityArgs {
    /// The authority's folder; the one of the token service is stampmill-data/ca.
    #[arg(long = "ca", value_name = "DIR", default_value = "stampmill-ca")]
    pub(crate) folder: PathBuf,

    /// A file whose first line is the passphrase of issuing.key, where it has one.
    #[arg(long, value_name = "FILE", env = "STAMPMILL_CA_PASSPHRASE_FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct RootKeyArgs {
    /// The root's key, where it is not in the authority's folder.
    #[arg(long, value_name = "FILE")]
    pub(crate) root_key: Option<PathBuf>,

    /// A file whose first line is the passphrase of the root's key.
    #[arg(long, value_name = "FILE")]
    pub(crate) root_passphrase_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    #[command(flatten)]
    pub(crate) authority: AuthorityArgs,
    /// The root's common name, up to 56 characters; the intermediate's has ` issuing` behind it.
    #[arg(long, default_value = "localhost-ca")]
    pub(crate) name: String,
    /// The kind of both keys: p256, p384, rsa2048, rsa3072, rsa4096, ed25519, ml-dsa-44, ml-dsa-65 or ml-dsa-87.
    #[arg(long, default_value = "p256")]
    pub(crate) key: KeyKind,
    /// How many days root and intermediate live.
    #[arg(long, default_value_t = 3652, value_parser = clap::value_parser!(u32).range(1..=36525))]
    pub(crate) days: u32,
    /// How many days the intermediate lives, if less; `ca renew-issuing` makes the next.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=36525))]
    pub(crate) issuing_days: Option<u32>,
    /// The rules that what it issues keeps: private, or public-like (the Baseline Requirements as far as private names allow).
    #[arg(long, default_value = "private")]
    pub(crate) rules: RuleSet,
    /// A domain (`.example.test`) or network (`10.1.0.0/16`) to certify names in, besides the private ones. May be given several times.
    #[arg(long = "permit", value_name = "SUBTREE", conflicts_with_all = ["only", "unconstrained"])]
    pub(crate) permits: Vec<String>,
    /// A domain or network to certify names in, instead of the private ones. May be given several times.
    #[arg(
        long = "only",
        value_name = "SUBTREE",
        conflicts_with = "unconstrained"
    )]
    pub(crate) only: Vec<String>,
    /// Certify mail addresses in these domains, too, for clients. Whoever gets the issuing key then signs for every mail address in the world.
    #[arg(long, conflicts_with = "unconstrained")]
    pub(crate) mail: bool,
    /// Certify URIs with a host in these domains, too, for clients. Whoever gets the issuing key then signs for every URI in the world.
    #[arg(long, conflicts_with = "unconstrained")]
    pub(crate) uri: bool,
    /// Certify every name in the world. Whoever gets the issuing key is then everybody's bank.
    #[arg(long)]
    pub(crate) unconstrained: bool,
    /// Where `ca serve` will publish CRL, OCSP answers and certificates: http://HOST:PORT, written into every certificate.
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: Option<BaseUrl>,
    /// The organization in both names.
    #[arg(long)]
    pub(crate) organization: Option<String>,
    /// The country in both names, two capital letters.
    #[arg(long)]
    pub(crate) country: Option<String>,
    /// A file whose first line becomes the passphrase of root.key.
    #[arg(long, value_name = "FILE")]
    pub(crate) root_passphrase_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct TrustArgs {
    #[command(flatten)]
    pub(crate) authority: AuthorityArgs,
    /// Run the commands of the stores that are here, instead of showing all.
    #[arg(long)]
    pub(crate) apply: bool,
    /// Only show them; that is the default.
    #[arg(long, conflicts_with = "apply")]
    pub(crate) dry_run: bool,
    /// Only this store: debian, nss, fedora, arch, macos, windows, firefox, java or node.
    #[arg(long)]
    pub(crate) store: Option<String>,
    /// Stores below this folder instead of the machine's own, to try it out: Debian's in usr/local/share/ca-certificates and etc/ssl/certs,
    /// a database of NSS in nssdb, Firefox's profiles in firefox.
    #[arg(long, value_name = "DIR")]
    pub(crate) root_dir: Option<PathBuf>,
    /// Trust a root that is good for every name in the world.
    #[arg(long)]
    pub(crate) unconstrained: bool,
    /// Trust a root whose key lies in the authority's folder without a passphrase.
    #[arg(long)]
    pub(crate) unprotected_key: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) authority: AuthorityArgs,
    /// Where to listen for plain HTTP; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8380")]
    pub(crate) listen: SocketAddr,
    /// Where to listen for ACME over HTTPS; the port after the plain one unless set.
    #[arg(long, value_name = "ADDR")]
    pub(crate) acme_listen: Option<SocketAddr>,
    /// No ACME.
    #[arg(long, conflicts_with = "acme_listen")]
    pub(crate) no_acme: bool,
    /// The address by which clients know the ACME server, without the path: https://HOST:PORT; https://localhost:PORT unless set.
    #[arg(long, value_name = "URL")]
    pub(crate) acme_url: Option<String>,
    /// ACME accounts need a key made by `ca eab`.
    #[arg(long)]
    pub(crate) eab_required: bool,
    /// Terms of service that ACME accounts agree to.
    #[arg(long, value_name = "URL")]
    pub(crate) terms: Option<String>,
    /// Accounts that agreed to other terms, or to none, agree to these before they order; programs that renew by themselves then fail.
    #[arg(long, requires = "terms")]
    pub(crate) terms_again: bool,
    /// A way to prove a name: http-01, dns-01 or tls-alpn-01; all of them unless set. May be given several times.
    #[arg(long = "challenge", value_name = "KIND")]
    pub(crate) challenges: Vec<ChallengeKind>,
    /// The port that http-01 connects to.
    #[arg(long, value_name = "PORT", default_value_t = 80)]
    pub(crate) http_01_port: u16,
    /// The port that tls-alpn-01 connects to.
    #[arg(long, value_name = "PORT", default_value_t = 443)]
    pub(crate) tls_alpn_01_port: u16,
    /// The name server to ask about names, instead of the system's.
    #[arg(long, value_name = "ADDR")]
    pub(crate) dns: Option<SocketAddr>,
    /// A network (`10.1.0.0/16`) that validation may connect to besides this machine. May be given several times.
    #[arg(long = "network", value_name = "CIDR")]
    pub(crate) networks: Vec<Network>,
    /// A name by which CAA records may mean this authority; without one they are not looked at. May be given several times.
    #[arg(long = "caa", value_name = "NAME")]
    pub(crate) caa: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct CrlArgs {
    #[command(flatten)]
    pub(crate) authority: AuthorityArgs,
    #[command(flatten)]
    pub(crate) root: RootKeyArgs,
    /// The root's list instead of the issuing authority's.
    #[arg(long = "of-root")]
    pub(crate) of_root: bool,
    /// Make the root's list anew; where its key lies in the folder without a passphrase, that is done whenever it is due.
    #[arg(long, requires = "of_root")]
    pub(crate) renew: bool,
    /// The file, in PEM unless its name ends in .crl; standard output unless set.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct RenewArgs {
    #[command(flatten)]
    pub(crate) authority: AuthorityArgs,
    /// What `ca issue` was given first, or the certificate's file.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// The folder of NAME.pem and NAME.key.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) out: PathBuf,
    /// How many days the next one lives; as many as this one unless set.
    #[arg(long)]
    pub(crate) days: Option<u32>,
    /// The kind of the new key; the present one's unless set.
    #[arg(long)]
    pub(crate) key: Option<KeyKind>,
    /// Revoke the present certificate as superseded, once the next is in its place.
    #[arg(long)]
    pub(crate) revoke: bool,
    /// Write NAME.p12 anew, under the password in this file's first line.
    #[arg(long, value_name = "FILE")]
    pub(crate) pkcs12_password_file: Option<PathBuf>,
    /// Protect NAME.p12 as programs of before 2020 read it.
    #[arg(long, requires = "pkcs12_password_file")]
    pub(crate) pkcs12_legacy: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ProfileArgs {
    /// What the certificate is for: server, client or sub-ca.
    #[arg(long, default_value = "server")]
    pub(crate) profile: Profile,
    /// How many days the certificate lives; servers and clients 90 unless set, 398 at most.
    #[arg(long)]
    pub(crate) days: Option<u32>,
    /// Allow a longer life than that.
    #[arg(long)]
    pub(crate) long: bool,
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum AcmeVerb {
    /// List the accounts, the oldest first.
    Accounts {
        #[command(flatten)]
        authority: AuthorityArgs,
        /// Only those with this text in their name, their contacts, or the name of their external key.
        #[arg(allow_hyphen_values = true)]
        text: Option<String>,
    },
    /// List the orders, the newest first.
    Orders {
        #[command(flatten)]
        authority: AuthorityArgs,
        /// Only this account's: its name, or its address.
        #[arg(long, value_name = "ACCOUNT", allow_hyphen_values = true)]
        account: Option<String>,
        /// Only those that are pending, ready, valid or invalid.
        #[arg(long, value_parser = ["pending", "ready", "valid", "invalid"])]
        status: Option<String>,
        /// At most so many are looked at.
        #[arg(long, default_value_t = 100)]
        most: u32,
    },
    /// End an account: its requests are refused from now on. Its certificates stay good; `ca revoke` takes them back.
    Deactivate {
        #[command(flatten)]
        authority: AuthorityArgs,
        /// The account's name, or its address.
        #[arg(allow_hyphen_values = true)]
        account: String,
    },
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum CaVerb {
    /// Make an authority: a root certificate, an intermediate that issues, their keys, and the records.
    Init(Box<InitArgs>),
    /// Make a key and a certificate for a server, or for a client.
    Issue {
        #[command(flatten)]
        authority: AuthorityArgs,
        /// Host names and IP addresses; for clients mail addresses and URIs as well. The first also names the files.
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        #[command(flatten)]
        profile: ProfileArgs,
        /// The kind of key: p256, p384, rsa2048, rsa3072, rsa4096, ed25519, ml-dsa-44, ml-dsa-65 or ml-dsa-87.
        #[arg(long, default_value = "p256")]
        key: KeyKind,
        /// The folder for NAME.pem and NAME.key.
        #[arg(long, value_name = "DIR", default_value = ".")]
        out: PathBuf,
        /// Also write NAME.p12, certificate and key together, under the password in this file's first line.
        #[arg(long, value_name = "FILE")]
        pkcs12_password_file: Option<PathBuf>,
        /// Protect NAME.p12 as programs of before 2020 read it.
        #[arg(long, requires = "pkcs12_password_file")]
        pkcs12_legacy: bool,
        /// Also write NAME.cer, the certificate alone in DER.
        #[arg(long)]
        der: bool,
    },
    /// Exchange a certificate and its key for the next: the same names, the same profile, a new key.
    Renew(RenewArgs),
    /// Make a key and a certificate signing request.
    Csr {
        /// Host names and IP addresses, mail addresses, URIs; the first also names the files.
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        /// The kind of key.
        #[arg(long, default_value = "p256")]
        key: KeyKind,
        /// The folder for NAME.csr and NAME.key.
        #[arg(long, value_name = "DIR", default_value = ".")]
        out: PathBuf,
    },
    /// Sign a certificate signing request; the certificate chain goes to standard output.
    Sign {
        #[command(flatten)]
        authority: AuthorityArgs,
        #[command(flatten)]
        root: RootKeyArgs,
        /// The request, in PEM.
        csr: PathBuf,
        #[command(flatten)]
        profile: ProfileArgs,
    },
    /// List what was issued, the newest first.
    List {
        #[command(flatten)]
        authority: AuthorityArgs,
        /// Only those with this text in a name, or at the beginning of the serial number.
        text: Option<String>,
        /// Only those that are valid, revoked or expired.
        #[arg(long, value_parser = ["valid", "revoked", "expired"])]
        status: Option<String>,
        /// Only those whose life ends within so many days, the next to end first.
        #[arg(long, value_name = "DAYS")]
        expiring: Option<u32>,
    },
    /// Show one certificate of the records.
    Show {
        #[command(flatten)]
        authority: AuthorityArgs,
        /// The serial number, eight or more of its first digits, or a whole name.
        certificate: String,
        /// Only the certificate, in PEM.
        #[arg(long)]
        pem: bool,
    },
    /// What was done, the newest first.
    Log {
        #[command(flatten)]
        authority: AuthorityArgs,
        /// At most so many lines.
        #[arg(long, default_value_t = 100)]
        most: u32,
    },
    /// Revoke a certificate, once and for all.
    Revoke {
        #[command(flatten)]
        authority: AuthorityArgs,
        /// The serial number, eight or more of its first digits, a whole name, or the certificate's file.
        certificate: String,
        /// Why: keyCompromise, affiliationChanged, superseded, cessationOfOperation or privilegeWithdrawn; of an authority also cACompromise, of
        /// a leaf unspecified.
        #[arg(long, default_value = "unspecified")]
        reason: Reason,
    },
    /// Write the list of what is revoked, made anew when it is a day old or lacks a revocation.
    Crl(CrlArgs),
    /// Make the next intermediate, for the key there is; it takes the root's key. What was issued stays good. After a theft, with --new-key.
    RenewIssuing {
        #[command(flatten)]
        authority: AuthorityArgs,
        #[command(flatten)]
        root: RootKeyArgs,
        /// How many days it lives; as long as the one before unless set, and never beyond the root.
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=36525))]
        days: Option<u32>,
        /// Make another key of this kind, in the place of one that was revoked: p256 unless one is named, as in `--key` of `ca init`. What the
        /// old one signed is void.
        #[arg(long, value_name = "KIND", num_args = 0..=1, default_missing_value = "p256")]
        new_key: Option<KeyKind>,
    },
    /// Answer one OCSP question from a file, as the responder of `ca serve` would.
    Ocsp {
        #[command(flatten)]
        authority: AuthorityArgs,
        /// The question in DER, as `openssl ocsp -reqout` writes it.
        question: PathBuf,
        /// The answer's file.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Publish the CRLs, the certificates and the OCSP responder over plain HTTP, and serve ACME over HTTPS.
    Serve(Box<ServeArgs>),
    /// The ACME server's accounts and orders, for its operator.
    #[command(subcommand)]
    Acme(AcmeVerb),
    /// Make a key for an ACME account: its name and its secret, shown once.
    Eab {
        #[command(flatten)]
        authority: AuthorityArgs,
        /// List the keys that were made, and the account that was made with each.
        #[arg(long)]
        list: bool,
        /// Take a key back that no account was made with.
        #[arg(
            long,
            value_name = "KID",
            conflicts_with = "list",
            allow_hyphen_values = true
        )]
        withdraw: Option<String>,
    },
    /// Show the commands that make this machine's programs trust the root; with --apply, run those that can be run.
    Trust(TrustArgs),
    /// Show the commands that undo exactly that; with --apply, run those that can be run.
    Untrust(TrustArgs),
    /// Show servers whose certificates are wrong in exactly one way each, for tests of clients.
    Zoo(super::zoo::ZooArgs),
    /// Show every byte of a certificate, request, CRL, OCSP answer or PKCS #12 file: place, length, type, name, value.
    View {
        /// The file, in PEM or DER; of PEM every block. - is standard input.
        file: PathBuf,
    },
    /// Hold a certificate, a CRL or an OCSP answer against the checks of verifiers and auditors; errors among the findings make the program fail.
    Lint {
        /// Certificates and CRLs, in PEM or DER, or the OCSP answer in DER; of PEM every block. - is standard input.
        file: PathBuf,
        /// The rules: private or public-like.
        #[arg(long, default_value = "private")]
        rules: RuleSet,
    },
    /// Check a chain step by step, then ask OpenSSL, at its strictest, whether the certificate holds: for a host, a client, a responder.
    Verify(Box<super::judge::VerifyArgs>),
}
