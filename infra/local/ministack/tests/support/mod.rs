//! Asks the local AWS by plain HTTP.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

/// One call of an operation; the answer with its head.
pub fn ask(port: u16, service: &str, target: &str, body: &str) -> std::io::Result<String> {
    let mut connection = TcpStream::connect(("127.0.0.1", port))?;
    let length = body.len();
    write!(
        connection,
        "POST / HTTP/1.0\r\nhost: localhost\r\nx-amz-target: {target}\r\ncontent-length: {length}\r\n\
         content-type: application/x-amz-json-1.1\r\nauthorization: AWS4-HMAC-SHA256 \
         Credential=test/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0\r\n\r\n{body}"
    )?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    Ok(answer)
}
