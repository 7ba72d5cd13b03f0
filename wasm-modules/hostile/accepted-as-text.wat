;; Answers with JSON of which a careless reader makes an acceptance.
(module
  (import "wapc" "__guest_response" (func $response (param i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 8) "{\"accepted\":\"true\"}")
  (func (export "__guest_call") (param $operation i32) (param $payload i32) (result i32)
    (call $response (i32.const 8) (i32.const 19))
    (i32.const 1)))
