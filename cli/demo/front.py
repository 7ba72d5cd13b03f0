#!/usr/bin/env python3
"""front.py CERT KEY ISSUER NAME=PORT... oidc=PORT: gives make.sh's servers their names over TLS.

127.0.0.1:443 passes what each NAME (by SNI) is sent on to a plain loopback port; 127.0.0.3:443 is the OpenID Connect issuer ISSUER,
with the keys of the one at `oidc`. Runs only inside of make.sh's network namespace, which has nothing but loopback.
"""
import asyncio
import json
import ssl
import sys
import urllib.request

cert, key, issuer, *pairs = sys.argv[1:]
ports = {name: int(port) for name, port in (pair.split("=") for pair in pairs)}


def context(chosen):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(cert, key)
    made.sni_callback = lambda socket, name, _: chosen.__setitem__(socket, name)
    return made


async def copy(source, sink):
    try:
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    except OSError:
        pass
    finally:
        sink.close()


async def forward(names, reader, writer):
    name = names.pop(writer.get_extra_info("ssl_object"), None)
    if name not in ports:
        writer.close()
        return
    upstream = await asyncio.open_connection("127.0.0.1", ports[name])
    await asyncio.gather(copy(reader, upstream[1]), copy(upstream[0], writer))


async def issue(reader, writer):
    path = (await reader.readline()).split()[1].decode()
    while (await reader.readline()).strip():
        pass
    if path == "/jwks":
        body = urllib.request.urlopen(f"http://127.0.0.1:{ports['oidc']}/jwks").read()
    else:
        body = json.dumps({
            "issuer": issuer, "jwks_uri": f"{issuer}/jwks", "authorization_endpoint": f"{issuer}/none", "token_endpoint": f"{issuer}/none",
            "response_types_supported": ["id_token"], "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["RS256"],
        }).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()
    writer.close()


async def main():
    names = {}
    await asyncio.start_server(lambda r, w: forward(names, r, w), "127.0.0.1", 443, ssl=context(names))
    await (await asyncio.start_server(issue, "127.0.0.3", 443, ssl=context({}))).serve_forever()


asyncio.run(main())
