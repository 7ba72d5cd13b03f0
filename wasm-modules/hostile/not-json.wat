;; Answers with something that is no JSON.
(module
  (import "wapc" "__guest_response" (func $response (param i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 8) "{acce")
  (func (export "__guest_call") (param $operation i32) (param $payload i32) (result i32)
    (call $response (i32.const 8) (i32.const 5))
    (i32.const 1)))
