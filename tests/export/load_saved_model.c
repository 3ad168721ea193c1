/* Loads a SavedModel as a C++ server does and prints the rows of one output.
 *
 * load_saved_model FOLDER INPUT OUTPUT INDEX NUMBER_OF_LIBRARIES LIBRARY... TEXT...
 *
 * INPUT and OUTPUT are names of operations, INDEX the output's number. Ends with 1 and a message
 * when TensorFlow refuses a step.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensorflow/c/c_api.h"
#include "tensorflow/c/tf_tstring.h"

static void check(TF_Status* status, const char* step) {
  if (TF_GetCode(status) == TF_OK) return;
  fprintf(stderr, "%s: %s\n", step, TF_Message(status));
  exit(1);
}

static TF_Output find(TF_Graph* graph, const char* name, int index) {
  TF_Output output = {TF_GraphOperationByName(graph, name), index};
  if (output.oper != NULL) return output;
  fprintf(stderr, "no operation %s\n", name);
  exit(1);
}

static void print(TF_Tensor* output, int64_t index) {
  const void* data = TF_TensorData(output);
  if (TF_TensorType(output) == TF_BOOL) {
    printf("%d", ((const unsigned char*)data)[index]);
  } else if (TF_TensorType(output) == TF_STRING) {
    const TF_TString* value = (const TF_TString*)data + index;
    printf("%.*s", (int)TF_StringGetSize(value), TF_StringGetDataPointer(value));
  } else {
    printf("%.9g ", ((const float*)data)[index]);
  }
}

int main(int argc, char** argv) {
  if (argc < 6) return 2;
  const int num_libraries = atoi(argv[5]);
  char** texts = argv + 6 + num_libraries;
  const int64_t num_texts = argc - 6 - num_libraries;
  TF_Status* status = TF_NewStatus();

  for (int i = 0; i < num_libraries; i++) {
    TF_LoadLibrary(argv[6 + i], status);
    check(status, argv[6 + i]);
  }

  const char* tags[] = {"serve"};
  TF_SessionOptions* options = TF_NewSessionOptions();
  TF_Graph* graph = TF_NewGraph();
  TF_Session* session =
      TF_LoadSessionFromSavedModel(options, NULL, argv[1], tags, 1, graph, NULL, status);
  check(status, "load");

  TF_Tensor* input =
      TF_AllocateTensor(TF_STRING, &num_texts, 1, num_texts * sizeof(TF_TString));
  TF_TString* strings = TF_TensorData(input);
  for (int64_t i = 0; i < num_texts; i++) {
    TF_StringInit(&strings[i]);
    TF_StringCopy(&strings[i], texts[i], strlen(texts[i]));
  }

  TF_Output from = find(graph, argv[2], 0), to = find(graph, argv[3], atoi(argv[4]));
  TF_Tensor* output = NULL;
  TF_SessionRun(session, NULL, &from, &input, 1, &to, &output, 1, NULL, 0, NULL, status);
  check(status, "run");

  const int64_t rows = TF_Dim(output, 0);
  const int64_t columns = TF_NumDims(output) > 1 ? TF_Dim(output, 1) : 1;
  for (int64_t row = 0; row < rows; row++) {
    for (int64_t column = 0; column < columns; column++) {
      print(output, row * columns + column);
    }
    printf("\n");
  }

  TF_DeleteTensor(input);
  TF_DeleteTensor(output);
  TF_CloseSession(session, status);
  TF_DeleteSession(session, status);
  TF_DeleteGraph(graph);
  TF_DeleteSessionOptions(options);
  TF_DeleteStatus(status);
  return 0;
}
