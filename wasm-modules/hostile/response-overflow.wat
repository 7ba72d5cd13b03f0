;; Answers with a place whose end is before its start, as 32 bits have it.
(module
  (import "wapc" "__guest_response" (func $response (param i32 i32)))
  (memory (export "memory") 1)
  (func (export "__guest_call") (param $operation i32) (param $payload i32) (result i32)
    (call $response (i32.const -16) (i32.const 64))
    (i32.const 1)))
