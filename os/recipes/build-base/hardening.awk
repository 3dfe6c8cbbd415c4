# Adds to the compiler's specs what build-base switches on. Each switch stands down where the
# command line says something else of the same matter.
{ print }
/^\*cc1:$/ {
  getline
  print $0 \
    " %{!fstack-protector*:%{!fno-stack-protector*:%{!ffreestanding:%{!nostdlib:-fstack-protector-strong}}}}" \
    " %{!fstack-clash-protection:%{!fno-stack-clash-protection:-fstack-clash-protection}}" \
    " %{!fcf-protection*:%{!fno-cf-protection:%{!m16:%{!mno-80387:-fcf-protection=full}}}}"
  done++
}
# glibc checks only where the compiler optimises, and warns elsewhere.
/^\*cpp_unique_options:$/ {
  getline
  print $0 \
    " %{!D_FORTIFY_SOURCE*:%{!U_FORTIFY_SOURCE:%{!ffreestanding:%{O*:%{!O0:-D_FORTIFY_SOURCE=3}}}}}"
  done++
}
# These come before what the command line hands to the linker, which wins.
/^\*link:$/ {
  getline
  print $0 " %{!r:-z relro -z now -z noexecstack}"
  done++
}
END {
  if (done != 3) {
    print "hardening.awk: the compiler's specs are not as they were" > "/dev/stderr"
    exit 1
  }
}
