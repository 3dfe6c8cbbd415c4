int part(int number);
