package Greet;
use strict;
use warnings;
our $VERSION = '0.03';
require XSLoader;
XSLoader::load('Greet', $VERSION);

sub greet { return word() . ", $_[0]" }

1;
__END__

=head1 NAME

Greet - greets

=cut
