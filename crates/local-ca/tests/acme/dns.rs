//! Proves that a name server over UDP is asked what RFC 8555 §8.4 and RFC 8659 say, for addresses as for records, and believed only where
//! it answers.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, CAA, CNAME, TXT};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use openssl::sha::sha256;
use serde_json::Value;
use stampmill_jose::base64url;
use stampmill_local_ca::acme::Surroundings;
use tokio::net::UdpSocket;

use crate::support::{Challenge, Scene, World, detail};

/// What a name server knows.
#[derive(Clone, Default)]
struct Zone(Arc<Mutex<Vec<Record>>>);

impl Zone {
    fn put(&self, name: &str, data: RData) {
        let record = Record::from_rdata(Name::from_ascii(name).unwrap(), 60, data);
        self.0.lock().unwrap().push(record);
    }

    /// Answers until the test ends.
    async fn serve(&self) -> SocketAddr {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = socket.local_addr().unwrap();
        let zone = self.clone();
        tokio::spawn(async move {
            let mut buffer = [0; 2048];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let answer = zone.answer(&Message::from_vec(&buffer[..length]).unwrap());
                socket
                    .send_to(&answer.to_vec().unwrap(), from)
                    .await
                    .unwrap();
            }
        });
        address
    }

    fn answer(&self, question: &Message) -> Message {
        let query = question.queries[0].clone();
        let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
        assert_eq!(answer.metadata.message_type, MessageType::Response);
        let records = self.0.lock().unwrap();
        let mut wanted = query.name().clone();
        // a CNAME is answered with what it leads to, as resolvers do
        for _ in 0..3 {
            for record in records.iter().filter(|record| record.name == wanted) {
                match &record.data {
                    data if data.record_type() == query.query_type() => {
                        answer.add_answer(record.clone());
                    }
                    RData::CNAME(to) => {
                        answer.add_answer(record.clone());
                        wanted = to.0.clone();
                        break;
                    }
                    _ => {}
                }
            }
        }
        if answer.answers.is_empty() {
            answer.metadata.response_code = ResponseCode::NXDomain;
        }
        answer.add_query(query);
        answer
    }
}

async fn scene(zone: &Zone, caa: &[&str]) -> Scene {
    let surroundings = Surroundings::name_server(zone.serve().await).unwrap();
    let identities = caa.iter().map(ToString::to_string).collect();
    Scene::in_surroundings(
        |settings| settings.caa_identities = identities,
        stampmill_local_ca::now,
        World::default(),
        surroundings,
    )
}

/// Orders a name and answers by one kind of challenge: the authorization as it was decided.
async fn decided(scene: &Scene, name: &str, kind: &str, put: impl FnOnce(&Challenge)) -> Value {
    let client = scene.client().await;
    let challenge = client.challenged(name, kind).await;
    put(&challenge);
    client.take_up(&challenge).await;
    client.decided(&challenge.authorization).await.body
}

fn text(value: &str) -> RData {
    RData::TXT(TXT::new(vec![value.to_owned()]))
}

#[tokio::test]
async fn dns_01_takes_any_of_the_records_and_follows_a_cname() {
    let zone = Zone::default();
    let scene = scene(&zone, &[]).await;
    let digest = |proof: &str| base64url::encode(sha256(proof.as_bytes()));
    let good = decided(&scene, "*.a.test", "dns-01", |challenge| {
        zone.put("_acme-challenge.a.test.", text("something else"));
        zone.put("_acme-challenge.a.test.", text(&digest(&challenge.proof)));
    });
    assert_eq!(good.await["status"], "valid");

    let delegated = decided(&scene, "b.test", "dns-01", |challenge| {
        let elsewhere = Name::from_ascii("b.challenges.test.").unwrap();
        zone.put("_acme-challenge.b.test.", RData::CNAME(CNAME(elsewhere)));
        zone.put("b.challenges.test.", text(&digest(&challenge.proof)));
    });
    assert_eq!(delegated.await["status"], "valid");

    let wrong = decided(&scene, "c.test", "dns-01", |challenge| {
        zone.put("_acme-challenge.c.test.", text(&challenge.proof));
    })
    .await;
    let error = &wrong["challenges"][0]["error"];
    assert_eq!(
        error["type"],
        "urn:ietf:params:acme:error:incorrectResponse"
    );
    let none = decided(&scene, "d.test", "dns-01", |_| {}).await;
    let error = &none["challenges"][0]["error"];
    assert!(detail(error).contains("0 TXT records"), "{error}");
}

#[tokio::test]
async fn addresses_come_from_the_same_server_and_caa_is_climbed_to() {
    let zone = Zone::default();
    let scene = scene(&zone, &["ca.internal"]).await;
    zone.put("a.test.", RData::A(A::new(127, 0, 0, 5)));
    let show = |challenge: &Challenge| scene.world.prove(challenge);
    let good = decided(&scene, "a.test", "http-01", show).await;
    assert_eq!(good["status"], "valid", "{good}");
    assert_eq!(scene.world.connections()[0].to_string(), "127.0.0.5:80");

    let nowhere = decided(&scene, "nx.test", "http-01", show).await;
    let error = &nowhere["challenges"][0]["error"];
    assert_eq!(error["type"], "urn:ietf:params:acme:error:dns", "{error}");
    let detail = error["detail"].as_str().unwrap();
    assert!(
        detail.ends_with("it has neither A nor AAAA records"),
        "{detail}"
    );

    zone.put("x.y.test.", RData::A(A::new(127, 0, 0, 5)));
    let other = Name::from_ascii("other.test").unwrap();
    zone.put(
        "y.test.",
        RData::CAA(CAA::new_issue(false, Some(other), Vec::new())),
    );
    let refused = decided(&scene, "x.y.test", "http-01", show).await;
    let error = &refused["challenges"][0]["error"];
    assert_eq!(error["type"], "urn:ietf:params:acme:error:caa", "{error}");

    let ours = Name::from_ascii("ca.internal").unwrap();
    zone.put(
        "y.test.",
        RData::CAA(CAA::new_issue(false, Some(ours), Vec::new())),
    );
    let permitted = decided(&scene, "x.y.test", "http-01", show).await;
    assert_eq!(permitted["status"], "valid", "{permitted}");
    assert_eq!(
        zone.answer(&question("nothing.test."))
            .metadata
            .response_code,
        ResponseCode::NXDomain
    );
}

fn question(name: &str) -> Message {
    let name = Name::from_ascii(name).unwrap();
    let mut message = Message::query();
    message.add_query(hickory_resolver::proto::op::Query::query(
        name,
        RecordType::A,
    ));
    message
}
