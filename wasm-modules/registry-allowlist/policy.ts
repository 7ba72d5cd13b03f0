// Lets pods run only images of some registries. AssemblyScript, without a kit: the guest side of waPC is below.
import { JSON } from "json-as";

@external("wapc", "__guest_request")
declare function guest_request(operation: usize, payload: usize): void;
@external("wapc", "__guest_response")
declare function guest_response(pointer: usize, length: usize): void;
@external("wapc", "__guest_error")
declare function guest_error(pointer: usize, length: usize): void;

@json
class Settings {
  registries: string[] = [];
}
@json
class Container {
  name: string = "";
  image: string = "";
}
@json
class PodSpec {
  containers: Container[] = [];
  initContainers: Container[] = [];
}
@json
class Pod {
  spec: PodSpec = new PodSpec();
}
@json
class AdmissionRequest {
  object: Pod = new Pod();
}
@json
class Asked {
  request: AdmissionRequest = new AdmissionRequest();
  settings: Settings = new Settings();
}
@json
class Answer {
  accepted: bool = false;
  message: string = "";
}
@json
class SettingsAnswer {
  valid: bool = false;
  message: string = "";
}

// Called by the host: says what the request is about, and answers it.
export function __guest_call(operationLength: i32, payloadLength: i32): i32 {
  const operation = new ArrayBuffer(operationLength);
  const payload = new ArrayBuffer(payloadLength);
  guest_request(changetype<usize>(operation), changetype<usize>(payload));
  const name = String.UTF8.decode(operation);
  const text = String.UTF8.decode(payload);
  if (name == "validate") return respond(JSON.stringify<Answer>(validate(text)));
  if (name == "validate_settings") return respond(JSON.stringify<SettingsAnswer>(validateSettings(text)));
  if (name == "protocol_version") return respond('"v1"');
  const error = String.UTF8.encode("there is no such operation");
  guest_error(changetype<usize>(error), error.byteLength);
  return 0;
}

function respond(text: string): i32 {
  const bytes = String.UTF8.encode(text);
  guest_response(changetype<usize>(bytes), bytes.byteLength);
  return 1;
}

function validate(text: string): Answer {
  const asked = JSON.parse<Asked>(text);
  const answer = new Answer();
  const spec = asked.request.object.spec;
  const all = spec.containers.concat(spec.initContainers);
  for (let i = 0; i < all.length; i++) {
    const registry = registryOf(all[i].image);
    if (!asked.settings.registries.includes(registry)) {
      answer.message = "container " + all[i].name + " has an image of " + registry;
      return answer;
    }
  }
  answer.accepted = true;
  return answer;
}

function validateSettings(text: string): SettingsAnswer {
  const settings = JSON.parse<Settings>(text);
  const answer = new SettingsAnswer();
  answer.valid = settings.registries.length > 0;
  if (!answer.valid) answer.message = "no registry is allowed: nothing could run";
  return answer;
}

// As container runtimes have it: what stands before the first slash is a registry if it looks like a host.
function registryOf(image: string): string {
  const slash = image.indexOf("/");
  if (slash > 0) {
    const first = image.substring(0, slash);
    if (first.includes(".") || first.includes(":") || first == "localhost") return first;
  }
  return "docker.io";
}
