#!/usr/bin/env bash
# make.sh: signs and attests the images of the demonstration, and of the tests of `policies/provenance`, with a real Fulcio,
# Rekor v1 and v2, certificate log, timestamp authority and cosign on loopback, and writes them beside this file:
#   registry/            an OCI layout: images, signatures, attestations
#   trusted_root.json    the trust root that they verify under
#   key.pub              the public key of the keyed ones
#   cases.json           what each image is, and what must become of it
# All keys are made here and thrown away: running it again makes a different Sigstore, and all four change together.
#
# Needs root, Linux namespaces, jq, openssl, python3, PostgreSQL, and the parts of ../shared/tools/real-sigstore, built into
# $BIN (default: ~/.cache/regent/sigstore) with `real-sigstore.sh build`.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tools=${REGENT_SHARED:-$here/../../../shared}/tools/real-sigstore
real=${BIN:-$HOME/.cache/regent/sigstore}
for part in crane cosign fulcio timestamp-server rekor-tiles-posix rekor-server ct_server sigtool ociserve; do
  [ -x "$real/$part" ] || { echo "make.sh: no $real/$part: run real-sigstore.sh build" >&2; exit 2; }
done

# The story needs names that are not ours. They mean loopback for the processes below and for nobody else: a mount namespace
# has its own /etc/hosts, and the network namespace of real-sigstore.sh has nothing but loopback.
if [ -z "${REGENT_DEMO_NAMESPACE:-}" ]; then
  exec env REGENT_DEMO_NAMESPACE=1 unshare --mount -- bash "${BASH_SOURCE[0]}" "$@"
fi

STATE=$(mktemp -d /tmp/regent-demo.XXXXXX)
chmod 755 "$STATE" # PostgreSQL runs as nobody
export STATE BIN=$STATE/bin NET=private
S() { "$tools/real-sigstore.sh" "$@"; }
cleanup() { S down >/dev/null 2>&1 || true; rm -rf "$STATE"; }
trap cleanup EXIT

issuer=https://token.actions.githubusercontent.com
log1=rekor.sigstore.dev log2=log2.demo.example
org=your-org

# Names, and certificates for them.
mkdir -p "$STATE/bin" "$STATE/tls"
printf '127.0.0.1 localhost ghcr.io %s %s\n127.0.0.3 %s\n' "$log1" "$log2" "${issuer#https://}" >"$STATE/hosts"
mount --bind "$STATE/hosts" /etc/hosts
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=demo \
  -keyout "$STATE/tls/key.pem" -out "$STATE/tls/cert.pem" \
  -addext "subjectAltName=DNS:ghcr.io,DNS:$log1,DNS:$log2,DNS:${issuer#https://}" 2>/dev/null
export SSL_CERT_FILE=$STATE/tls/cert.pem

# real-sigstore.sh runs what lies in $BIN: the real programs, four of them told another name.
ln -s "$real"/* "$STATE/bin/"
wrap() { rm -f "$STATE/bin/$1"; cat >"$STATE/bin/$1"; chmod +x "$STATE/bin/$1"; }
wrap fulcio <<W
#!/usr/bin/env bash
python3 "$here/front.py" "$STATE/tls/cert.pem" "$STATE/tls/key.pem" $issuer ghcr.io=23700 $log2=23707 $log1=23715 oidc=23702 </dev/null >"$STATE/log/front.log" 2>&1 &
echo \$! >"$STATE/run/front.pid"
until curl -sf --cacert "$STATE/tls/cert.pem" $issuer/jwks >/dev/null; do kill -0 \$! || exit 1; done
sed -i 's|http://127.0.0.1:23702|$issuer|' "$STATE/conf/fulcio.yml"
exec "$real/fulcio" "\$@"
W
wrap sigtool <<W
#!/usr/bin/env bash
[ "\$1" != token ] || set -- token $issuer "\${@:3}"
exec "$real/sigtool" "\$@"
W
wrap rekor-tiles-posix <<W
#!/usr/bin/env bash
exec "$real/rekor-tiles-posix" "\$@" --hostname $log2
W
wrap rekor-server <<W
#!/usr/bin/env bash
exec "$real/rekor-server" "\$@" --rekor_server.hostname=$log1
W
# The second log of version 2 is not part of the story.
rm -f "$STATE/bin/rekor-tiles-dsse"

S up full
since=start-time=$(cat "$STATE/since") pki=$STATE/pki
S cosign trusted-root create --out "$STATE/trusted_root.json" \
  --fulcio "url=https://fulcio.demo.example,certificate-chain=$pki/fulcio-chain.pem" \
  --tsa "url=https://timestamp.demo.example,certificate-chain=$pki/tsa-chain.pem" \
  --ctfe "url=https://ctfe.demo.example,public-key=$pki/ct.pub,$since" \
  --rekor "url=https://$log1,public-key=$pki/rekor1.pub,$since" \
  --rekor "url=https://$log2,public-key=$pki/rekor2.pub,$since,origin=$log2" >&2
S cosign signing-config create --out "$STATE/signing-v2.json" \
  --fulcio "url=http://127.0.0.1:23703,api-version=1,$since,operator=demo" \
  --oidc-provider "url=$issuer,api-version=1,$since,operator=demo" \
  --tsa "url=http://127.0.0.1:23706/api/v1/timestamp,api-version=1,$since,operator=demo" --tsa-config ANY \
  --rekor "url=https://$log2,api-version=2,$since,operator=demo" --rekor-config ANY >&2

generator=slsa-framework/slsa-github-generator/.github/workflows/generator_container_slsa3.yml
flow=.github/workflows/build-with-provenance.yml
commit=2f6c1a90b7d34e58a1c07f9d5be62a4430d1e7b8
ids="sha=$commit workflow=build-with-provenance run_id=7301"
# Claims of a job: workflow FLOW of repository $1 itself, or the generator at tag $2 called by it.
job() { echo "repository=$1 job_workflow_ref=$1/$flow@refs/heads/main workflow_ref=$1/$flow@refs/heads/main $ids ${2:-}"; }
called() { echo "repository=$1 job_workflow_ref=$generator@refs/tags/$2 workflow_ref=$1/$flow@refs/heads/main $ids"; }
builder() { echo "https://github.com/$generator@refs/tags/$1"; }
hosted=https://github.com/actions/runner/github-hosted

predicate() { # v1|v0.2 BUILDER REPOSITORY
  local repo=https://github.com/$3 run=https://github.com/$3/actions/runs/7301/attempts/1
  if [ "$1" = v1 ]; then
    jq -n --arg b "$2" --arg r "$repo" --arg f "$flow" --arg c "$commit" --arg run "$run" '{
      buildDefinition: {buildType: "https://slsa-framework.github.io/github-actions-buildtypes/workflow/v1",
        externalParameters: {workflow: {repository: $r, path: $f, ref: "refs/heads/main"}, inputs: {target: "linux/amd64"}},
        resolvedDependencies: [{uri: "git+\($r)@refs/heads/main", digest: {gitCommit: $c}}]},
      runDetails: {builder: {id: $b}, metadata: {invocationId: $run}}}'
  else
    jq -n --arg b "$2" --arg r "$repo" --arg f "$flow" --arg c "$commit" '{
      builder: {id: $b}, buildType: "https://github.com/slsa-framework/slsa-github-generator/container@v1",
      invocation: {configSource: {uri: "git+\($r)@refs/heads/main", digest: {sha1: $c}, entryPoint: $f}, parameters: {}},
      metadata: {buildInvocationID: "7301-1", completeness: {parameters: true, environment: false, materials: false}, reproducible: false},
      materials: [{uri: "git+\($r)@refs/heads/main", digest: {sha1: $c}}]}'
  fi
}

layout=$STATE/registry
: >"$STATE/names" && : >"$STATE/cases"
crane() { S exec env DOCKER_CONFIG="$STATE/home" "$real/crane" "$@"; }

image() { # NAME:TAG: pushes an image of one small file; sets $ref, $at
  ref=ghcr.io/$org/$1
  mkdir -p "$STATE/image" && echo "Regent's demonstration: $1" >"$STATE/image/README"
  tar -C "$STATE/image" --sort=name --owner=0 --group=0 --mtime=@0 -cf "$STATE/layer.tar" README
  crane append --oci-empty-base -f "$STATE/layer.tar" -t "$ref" >/dev/null 2>&1
  at=${ref%:*}@$(crane digest "$ref")
}

keep() { # into the layout: the image of $at with all that lies beside it
  local repository=${at%@*} digest=${at#*@} tag referrer
  crane pull --format=oci "$at" "$layout"
  echo "$digest ${1:-}" >>"$STATE/names"
  for tag in "${digest/:/-}.sig" "${digest/:/-}.att"; do
    digest=$(crane digest "$repository:$tag" 2>/dev/null) || continue
    crane pull --format=oci "$repository@$digest" "$layout"
    echo "$digest $repository:$tag" >>"$STATE/names"
  done
  for referrer in $(S exec curl -sf "http://127.0.0.1:23700/v2/${repository#*/}/referrers/${at#*@}" | jq -r '.manifests[].digest'); do
    crane pull --format=oci "$repository@$referrer" "$layout"
  done
}

steps() { # FORMAT, steps on standard input: what is signed and attested about $at
  local format=$1 how version claims file
  while read -r how version claims; do
    case $how in
      sign) CLAIMS="$version $claims" S sign "$at" keyless "$format" ;;
      sign-key) KEY=$version S sign "$at" keyed "$format" ;;
      attest | attest-key)
        read -r id source claims <<<"$claims"
        file=$STATE/predicate.json
        predicate "$version" "$id" "$source" >"$file"
        [ "$version" = v1 ] && type=slsaprovenance1 || type=slsaprovenance02
        if [ "$how" = attest ]; then CLAIMS=$claims S attest "$at" keyless "$format" "$type" "$file"
        else KEY=$claims S attest "$at" keyed "$format" "$type" "$file"; fi ;;
    esac >"$STATE/log/cosign.log" 2>&1 </dev/null || { cat "$STATE/log/cosign.log" >&2; exit 1; }
  done
}

case_() { # NAME FORMAT EXPECTED WHY, steps on standard input
  image "$1:v1"
  steps "$2"
  keep "$ref"
  jq -n --arg case "$1" --arg image "$ref" --arg digest "${at#*@}" --arg format "$2" --arg expect "$3" --arg why "$4" '$ARGS.named' >>"$STATE/cases"
  echo "$1 ($2): $3" >&2
}

case_ app bundle admit "signed by the organisation's workflow; SLSA v1 provenance by the generator, called by the organisation's repository" <<W
sign $(job $org/app)
attest v1 $(builder v2.0.0) $org/app $(called $org/app v2.0.0)
W
case_ legacy legacy admit "the same with SLSA v0.2 provenance, stored under cosign's older tags" <<W
sign $(job $org/app)
attest v0.2 $(builder v2.0.0) $org/app $(called $org/app v2.0.0)
W
case_ other bundle admit "signed and built as it should be; nobody asked for it before" <<W
sign $(job $org/other)
attest v0.2 $(builder v2.0.0) $org/other $(called $org/other v2.0.0)
W
case_ unsigned bundle refuse "neither signature nor provenance" </dev/null
case_ provenance-only bundle refuse "provenance, and no signature" <<W
attest v1 $(builder v2.0.0) $org/app $(called $org/app v2.0.0)
W
case_ no-provenance legacy refuse "signature, and no provenance" <<W
sign $(job $org/app)
W
case_ foreign-signature bundle refuse "signed by a workflow of another organisation" <<W
sign $(job evil/app)
attest v1 $(builder v2.0.0) $org/app $(called $org/app v2.0.0)
W
case_ lookalike-signature legacy refuse "signed by an organisation whose name begins alike" <<W
sign $(job $org-evil/app)
attest v1 $(builder v2.0.0) $org/app $(called $org/app v2.0.0)
W
case_ foreign-source bundle refuse "provenance by the right generator, called from another organisation's repository" <<W
sign $(job $org/app)
attest v1 $(builder v2.0.0) $org/app $(called evil/app v2.0.0)
W
case_ handwritten bundle refuse "provenance that names the generator, written by a workflow of the organisation itself" <<W
sign $(job $org/app)
attest v1 $(builder v2.0.0) $org/app $(job $org/app)
W
case_ other-builder bundle refuse "provenance by the generator at another tag, which it says" <<W
sign $(job $org/app)
attest v1 $(builder v1.9.0) $org/app $(called $org/app v1.9.0)
W
case_ builder-not-signer legacy refuse "provenance that names the generator at v2.0.0, signed by the generator at v1.9.0" <<W
sign $(job $org/app)
attest v1 $(builder v2.0.0) $org/app $(called $org/app v1.9.0)
W
case_ one-bad-of-two bundle refuse "two v1 statements, one of another builder: all must satisfy the conditions" <<W
sign $(job $org/app)
attest v1 $(builder v2.0.0) $org/app $(called $org/app v2.0.0)
attest v1 $(builder v1.9.0) $org/app $(called $org/app v1.9.0)
W
case_ shadowed legacy refuse "v1 provenance of another builder beside v0.2 provenance of the right one: the type that was asked for counts" <<W
sign $(job $org/app)
attest v1 $(builder v1.9.0) $org/app $(called $org/app v1.9.0)
attest v0.2 $(builder v2.0.0) $org/app $(called $org/app v2.0.0)
W
case_ github-hosted bundle refuse "provenance as GitHub's own action writes it, on a hosted runner: another builder for the reference policy" <<W
sign $(job $org/app)
attest v1 $hosted $org/app $(job $org/app)
W
case_ self-hosted bundle refuse "the same, said on a runner of somebody's own" <<W
sign $(job $org/app)
attest v1 $hosted $org/app $(job $org/app runner_environment=self-hosted)
W

# Keys: the one that the policy names, and another.
for name in key other; do (cd "$STATE" && S cosign generate-key-pair --output-key-prefix "$name" >&2); done
case_ keyed bundle refuse "signed and attested by the key of policies/provenance/keyed; no keyless signature for the reference policy" <<W
sign-key $STATE/key.key
attest-key v1 $(builder v2.0.0) $org/app $STATE/key.key
W
case_ keyed-legacy legacy refuse "the same under cosign's older tags" <<W
sign-key $STATE/key.key
attest-key v0.2 $(builder v2.0.0) $org/app $STATE/key.key
W
case_ keyed-foreign bundle refuse "signed and attested by another key" <<W
sign-key $STATE/other.key
attest-key v1 $(builder v2.0.0) $org/app $STATE/other.key
W

# A tag that moves: admitted first, then the same tag names an image that nobody signed.
case_ moving bundle admit "signed and built as it should be, until the tag moves" <<W
sign $(job $org/moving)
attest v1 $(builder v2.0.0) $org/moving $(called $org/moving v2.0.0)
W
image moving:v2
keep
moved=$(jq -n --arg image "ghcr.io/$org/moving:v1" --arg digest "${at#*@}" --arg expect refuse --arg why "the tag names another image now, which nobody signed" '$ARGS.named')

# cosign's opinion of the first two: what it accepts here is what it accepts everywhere.
for name in app legacy; do
  [ $name = app ] && format=true || format=false
  for flow_of in "verify https://github.com/$org/app/$flow@refs/heads/main" "verify-attestation $(builder v2.0.0)"; do
    read -r command identity <<<"$flow_of"
    type=(); [ "$command" = verify ] || type=(--type "$([ $name = app ] && echo slsaprovenance1 || echo slsaprovenance02)")
    S cosign "$command" --trusted-root "$STATE/trusted_root.json" --new-bundle-format=$format --certificate-oidc-issuer $issuer \
      --certificate-identity "$identity" "${type[@]}" "ghcr.io/$org/$name:v1" >/dev/null
  done
done

# Names into the index: a full reference for each image and evidence tag, nothing for referrers.
jq -R -s --slurpfile index "$layout/index.json" '
  (split("\n") | map(select(. != "") | split(" ") | {(.[0]): .[1]}) | add) as $names
  | {schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json",
     manifests: [$index[0].manifests[] | {mediaType, digest, size}
       + (if ($names[.digest] // "") != "" then {annotations: {"org.opencontainers.image.ref.name": $names[.digest]}} else {} end)]}' \
  "$STATE/names" >"$STATE/index.json"
mv "$STATE/index.json" "$layout/index.json"

rm -rf "$here/registry"
mkdir "$here/registry"
cp -r "$layout/." "$here/registry/"
chmod -R u+rw,go+r "$here/registry"
jq . "$STATE/trusted_root.json" >"$here/trusted_root.json"
cp "$STATE/key.pub" "$here/key.pub"
jq -s --arg issuer "$issuer" --argjson moved "$moved" '{issuer: $issuer, cases: ., moved: $moved}' "$STATE/cases" >"$here/cases.json"
du -sb "$here/registry" >&2

# The policy for keys names this one.
policy=$here/../../policies/provenance/keyed/policy.yaml
awk -v key="$here/key.pub" '
  /-----BEGIN PUBLIC KEY-----/ { match($0, /^ */); pad = substr($0, 1, RLENGTH); while ((getline line < key) > 0) print pad line; close(key); inside = 1 }
  !inside { print }
  /-----END PUBLIC KEY-----/ { inside = 0 }' "$policy" >"$policy.new"
mv "$policy.new" "$policy"
