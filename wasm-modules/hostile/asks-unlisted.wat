;; Asks the host for an image, which no policy lets it.
(module
  (import "wapc" "__host_call" (func $call (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 8) "kubewardenociv1/manifest_digest\"a\"")
  (func (export "__guest_call") (param $operation i32) (param $payload i32) (result i32)
    (drop (call $call (i32.const 8) (i32.const 10) (i32.const 18) (i32.const 3) (i32.const 21) (i32.const 18)
      (i32.const 39) (i32.const 3)))
    (i32.const 1)))
