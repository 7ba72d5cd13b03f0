//! The floor: a server with the same TLS and HTTP that reads a body and answers with a constant.
//!
//! What a webhook takes beyond this is its own doing.

use std::convert::Infallible;
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::tls;

/// As long as an answer that allows.
const ANSWER: &[u8] = br#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":"00000000-0000-4000-8000-000000000000","allowed":true}}"#;

/// Answers on a free port of loopback until the process ends; writes its certificate to a file, then its address to `out`.
pub async fn run(certificate: &Path, out: &mut (dyn Write + Send)) -> Result<()> {
    let (acceptor, pem) = tls::acceptor()?;
    std::fs::write(certificate, pem)
        .with_context(|| format!("writing `{}`", certificate.display()))?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    writeln!(out, "floor on https://{}", listener.local_addr()?)?;
    out.flush()?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(connection(stream, acceptor.clone()));
    }
}

/// A connection that breaks off is its client's affair, and counted there.
async fn connection(stream: TcpStream, acceptor: TlsAcceptor) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let Ok(stream) = acceptor.accept(stream).await else {
        return;
    };
    let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer));
    drop(served.await);
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::new(Bytes::from_static(ANSWER)));
    if request.into_body().collect().await.is_err() {
        *response.status_mut() = StatusCode::BAD_REQUEST;
    }
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    Ok(response)
}
