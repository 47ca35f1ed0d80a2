use super::*;

const CONFIG: &str = "\
common:
  api_key_hash: '@API_KEY_HASH@'
storage:
  embedded:
    path: '@DIR@/store.redb'
";

#[tokio::test]
async fn a_token_outlives_stop_and_kill() {
    let mut server = Server::start(ServerOptions::new(CONFIG)).await.unwrap();
    server.wait_ready().await.unwrap();
    let bearer = server.api().bearer("web").await.unwrap();
    assert!(server.stop().await.unwrap().success());
    server.restart().await.unwrap();
    server.wait_ready().await.unwrap();
    server.api().metadata(&bearer).await.unwrap();
    server.kill9().unwrap();
    assert!(!server.process.is_running());
    server.restart().await.unwrap();
    server.wait_ready().await.unwrap();
    server.api().metadata(&bearer).await.unwrap();
    let refused = server.api().metadata("bm8gdG9rZW4=").await.unwrap_err();
    assert!(refused.to_string().contains("401"), "{refused}");
}

#[tokio::test]
async fn a_config_that_is_refused_shows_why() {
    let error = Server::start(ServerOptions::new("commom: {}\n")).await.unwrap_err();
    assert!(format!("{error:#}").contains("commom"), "{error:#}");
}
