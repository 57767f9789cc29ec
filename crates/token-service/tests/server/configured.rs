//! Clients and people of the configuration come and go with it.

use http::StatusCode;
use stampmill_token_service::domain::{GrantType, Registration};
use stampmill_token_service::secret::Secret;
use stampmill_token_service::{
    Admin, Config, ConfigFile, DataFolder, Listen, RunningServer, Server, StartError, password_hash,
};

use crate::support::{Client, Folder, configured};

#[tokio::test]
async fn clients_of_the_configuration_come_and_go_with_it() {
    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    let folder = Folder::new();
    let naming = |client_id: &str| {
        format!(
            "[[clients]]\nclient_id = '{client_id}'\nclient_secret = '{SECRET}'\ngrant_types = ['client_credentials']\nscope = 'api'\n"
        )
    };
    let token = async |server: &RunningServer| {
        let answer = Client::of(server)
            .own_token("batch", &Secret::new(SECRET))
            .await;
        answer.status
    };
    let server = configured(&folder, &naming("batch")).await.unwrap();
    assert_eq!(token(&server).await, StatusCode::OK);
    server.shutdown().await;
    let server = configured(&folder, "").await.unwrap();
    assert_eq!(
        token(&server).await,
        StatusCode::UNAUTHORIZED,
        "it left the file"
    );
    server.shutdown().await;
    let taken = configured(&folder, &naming("demo")).await.unwrap_err();
    assert!(matches!(taken, StartError::ClientTaken { client_id } if client_id == "demo"));
}

#[tokio::test]
async fn what_the_file_says_of_clients_and_people_holds_and_nothing_is_made_up_beside_it() {
    let folder = Folder::new();
    let hash = password_hash(&Secret::new("correct horse")).unwrap();
    let text = format!(
        "[[clients]]\nclient_id = 'web'\nclient_secret = '{}'\nredirect_uris = ['https://a.example/cb']\n\
         [[users]]\nusername = 'alice'\npassword_hash = '{}'\n",
        "0123456789abcdef".repeat(2),
        hash.as_phc()
    );
    let mut config = Config::new(DataFolder::open_or_create_without_demo(&folder).unwrap());
    config.listen = Some(Listen::Localhost(0));
    config.settings = ConfigFile::parse("id.toml", &text).unwrap().settings;
    let server = Server::start(config).await.unwrap();
    let admin = Admin::open(&folder).unwrap();
    let users = admin.users().await.unwrap();
    let clients = admin.clients().await.unwrap();
    assert_eq!((users.len(), clients.len()), (1, 1));

    let refused = [
        admin.reset_password("alice").await.unwrap_err(),
        admin.remove_user("alice").await.unwrap_err(),
        admin.renew_secret("web").await.unwrap_err(),
        admin.remove_client("web").await.unwrap_err(),
    ];
    for error in refused {
        assert!(error.to_string().contains("configuration file"), "{error}");
    }
    // a client that speaks for itself
    let registration = Registration {
        id: Some("added".into()),
        name: "Added".into(),
        grant_types: vec![GrantType::ClientCredentials],
        scope: "api".into(),
        ..Registration::default()
    };
    admin.add_client(registration).await.unwrap();
    admin.remove_client("added").await.unwrap();
    let error = admin.remove_client("added").await.unwrap_err();
    assert!(error.to_string().contains("no client has the id \"added\""));
    server.shutdown().await;
}
