// Prints what libkmod.so.2 returns for a few modules, called through cgo from several goroutines.
package main

/*
#cgo pkg-config: libkmod
#include <stdlib.h>
#include <libkmod.h>
*/
import "C"

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"unsafe"
)

var queries = []string{
	"pci:v00008086d000010D3sv0sd0bc02sc00i00",
	"pci:v0000144Dd0000A808sv0000144Dsd0000A801bc01sc08i02",
	"ext4",
	"nfsd",
	"unix",
	"absent-module",
}

func text(of *C.char) string {
	if of == nil {
		return "-"
	}
	return C.GoString(of)
}

func names(list *C.struct_kmod_list) string {
	var found []string
	for entry := list; entry != nil; entry = C.kmod_list_next(list, entry) {
		module := C.kmod_module_get_module(entry)
		found = append(found, text(C.kmod_module_get_name(module)))
		C.kmod_module_unref(module)
	}
	return strings.Join(found, " ")
}

func describe(module *C.struct_kmod_module) string {
	var lines []string
	add := func(format string, values ...any) { lines = append(lines, fmt.Sprintf(format, values...)) }
	add("  %s at %s, options %s", text(C.kmod_module_get_name(module)), text(C.kmod_module_get_path(module)),
		text(C.kmod_module_get_options(module)))
	needed := C.kmod_module_get_dependencies(module)
	add("  needs %s", names(needed))
	C.kmod_module_unref_list(needed)
	var pre, post, fields *C.struct_kmod_list
	status := C.kmod_module_get_softdeps(module, &pre, &post)
	add("  softdeps %d: %s; %s", status, names(pre), names(post))
	C.kmod_module_unref_list(pre)
	C.kmod_module_unref_list(post)
	count := C.kmod_module_get_info(module, &fields)
	for entry := fields; entry != nil; entry = C.kmod_list_next(fields, entry) {
		key := text(C.kmod_module_info_get_key(entry))
		if key == "license" || key == "firmware" || key == "alias" {
			add("  %s=%s", key, text(C.kmod_module_info_get_value(entry)))
		}
	}
	C.kmod_module_info_free_list(fields)
	add("  %t fields, state %d", count > 0, C.kmod_module_get_initstate(module))
	return strings.Join(lines, "\n")
}

func ask(query string) string {
	ctx := C.kmod_new(nil, nil)
	defer C.kmod_unref(ctx)
	loaded := C.kmod_load_resources(ctx)
	alias := C.CString(query)
	defer C.free(unsafe.Pointer(alias))
	var list *C.struct_kmod_list
	status, err := C.kmod_module_new_from_lookup(ctx, alias, &list)
	if status < 0 {
		return fmt.Sprintf("%s: %d %v", query, status, err)
	}
	answer := fmt.Sprintf("%s: loaded %d, status %d, found %s", query, loaded, status, names(list))
	for entry := list; entry != nil; entry = C.kmod_list_next(list, entry) {
		module := C.kmod_module_get_module(entry)
		answer += "\n" + describe(module)
		C.kmod_module_unref(module)
	}
	C.kmod_module_unref_list(list)
	return answer
}

func main() {
	answers := make([]string, len(queries))
	var all sync.WaitGroup
	for number, query := range queries {
		all.Add(1)
		go func() {
			defer all.Done()
			answers[number] = ask(query)
		}()
	}
	all.Wait()
	fmt.Fprintln(os.Stdout, strings.Join(answers, "\n"))
}
