/*
 * hawser-stub <node> <folder of the client> [argument...]
 *
 * The `hawser` command as a user starts it: hands it over to the user's resident client, which has everything loaded, and is
 * its hands and ears at the terminal. Where no resident client answers, or it is not like this process, becomes the client
 * itself, and has a resident one started for the next time. See docs/contracts/resident-client.md.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay.h"
#include "resident.h"

enum { EXIT_CLIENT = 125 };

/** As if there had never been a resident client. `words`: node, folder, arguments. */
static _Noreturn void become_client(char **words, int count) {
  char *program = NULL;
  char **arguments = calloc((size_t)count + 2, sizeof *arguments);
  if (arguments != NULL && asprintf(&program, "%s/main.js", words[1]) > 0) {
    arguments[0] = words[0];
    arguments[1] = (char[]){"--"}; // else Node takes a container's --env-file for its own
    arguments[2] = program;
    for (int index = 2; index < count; index++) arguments[index + 1] = words[index];
    execv(words[0], arguments);
  }
  perror("hawser: cannot start the client");
  _exit(EXIT_CLIENT);
}

static bool is_wanted(void) {
  const char *choice = getenv("HAWSER_RESIDENT");
  return choice == NULL || strcmp(choice, "0") != 0;
}

int main(int count, char **words) {
  if (count < 3) {
    fputs("usage: hawser-stub <node> <folder of the client> [argument...]\n", stderr);
    return EXIT_CLIENT;
  }
  if (is_wanted()) {
    struct resident resident;
    if (resident_find(&resident, words[2])) {
      const int connection = resident_connect(&resident);
      if (connection >= 0) relay(connection, words + 3, count - 3); // returns only when nothing has been done
      else resident_start(&resident, words[1]);
    }
  }
  become_client(words + 1, count - 1);
}
