;; Wants the request behind its memory.
(module
  (import "wapc" "__guest_request" (func $request (param i32 i32)))
  (memory (export "memory") 1)
  (func (export "__guest_call") (param $operation i32) (param $payload i32) (result i32)
    (call $request (i32.const -8) (i32.const -8))
    (i32.const 1)))
